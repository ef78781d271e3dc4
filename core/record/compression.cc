#include "core/record/compression.h"

#include <lz4frame.h>
#include <zstd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "core/record/capped_output.h"
#include "core/record/gzip.h"
#include "core/record/snappy_blocks.h"

namespace quipu {
namespace {

// Kafka's default level of zstd.
constexpr int kZstdLevel = 3;

std::string CompressLz4(absl::string_view data) {
  // Independent blocks of 64 KiB without content size: what every Kafka client can read.
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  std::string out(LZ4F_compressFrameBound(data.size(), &preferences), '\0');
  const size_t size =
      LZ4F_compressFrame(out.data(), out.size(), data.data(), data.size(), &preferences);
  QUIPU_CHECK(LZ4F_isError(size) == 0);
  out.resize(size);
  return out;
}

absl::StatusOr<std::string> DecompressLz4(absl::string_view data, size_t output_bytes_max) {
  LZ4F_dctx* raw = nullptr;
  QUIPU_CHECK(LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)) == 0);
  const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(
      raw, &LZ4F_freeDecompressionContext);
  CappedOutput out(output_bytes_max);
  size_t hint = 1;  // 0 once the frame is complete
  while (hint != 0) {
    if (!out.MakeRoom()) return OutputTooLarge();
    size_t produced = out.room_bytes();
    size_t consumed = data.size();
    hint = LZ4F_decompress(context.get(), out.room(), &produced, data.data(), &consumed, nullptr);
    if (LZ4F_isError(hint) != 0) return BrokenData("broken lz4 frame");
    out.Advance(produced);
    data.remove_prefix(consumed);
    if (hint != 0 && produced == 0 && consumed == 0) return BrokenData("lz4 frame is cut off");
  }
  if (out.IsOverCap()) return OutputTooLarge();
  if (!data.empty()) return BrokenData("bytes after the lz4 frame");
  return out.Take();
}

std::string CompressZstd(absl::string_view data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), data.data(), data.size(), kZstdLevel);
  QUIPU_CHECK(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

absl::StatusOr<std::string> DecompressZstd(absl::string_view data, size_t output_bytes_max) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     &ZSTD_freeDCtx);
  QUIPU_CHECK(context != nullptr);
  // A few bytes of a frame's header may ask for a window of 128 MiB. The levels that producers use
  // need 8 MiB at most.
  QUIPU_CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23)) == 0);
  CappedOutput out(output_bytes_max);
  ZSTD_inBuffer input{data.data(), data.size(), 0};
  size_t hint = 1;  // 0 once a frame is complete; several frames may follow each other
  while (input.pos < input.size || hint != 0) {
    if (!out.MakeRoom()) return OutputTooLarge();
    ZSTD_outBuffer output{out.room(), out.room_bytes(), 0};
    const size_t position_before = input.pos;
    hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint) != 0)
      return BrokenData(absl::StrCat("zstd frame: ", ZSTD_getErrorName(hint)));
    out.Advance(output.pos);
    if (hint != 0 && output.pos == 0 && input.pos == position_before) {
      return BrokenData("zstd frame is cut off");
    }
  }
  if (out.IsOverCap()) return OutputTooLarge();
  return out.Take();
}

}  // namespace

bool IsSupported(Compression codec) {
  return codec >= Compression::kNone && codec <= Compression::kZstd;
}

std::string Compress(Compression codec, absl::string_view data) {
  QUIPU_CHECK(IsSupported(codec));
  switch (codec) {
    case Compression::kGzip:
      return CompressGzip(data);
    case Compression::kSnappy:
      return CompressSnappy(data);
    case Compression::kLz4:
      return CompressLz4(data);
    case Compression::kZstd:
      return CompressZstd(data);
    case Compression::kNone:
      break;
  }
  return std::string(data);
}

absl::StatusOr<std::string> Decompress(Compression codec, absl::string_view data,
                                       size_t output_bytes_max) {
  switch (codec) {
    case Compression::kNone:
      if (data.size() > output_bytes_max) return OutputTooLarge();
      return std::string(data);
    case Compression::kGzip:
      return DecompressGzip(data, output_bytes_max);
    case Compression::kSnappy:
      return DecompressSnappy(data, output_bytes_max);
    case Compression::kLz4:
      return DecompressLz4(data, output_bytes_max);
    case Compression::kZstd:
      return DecompressZstd(data, output_bytes_max);
  }
  return ToStatus(ErrorCode::kUnsupportedCompressionType,
                  "use gzip, snappy, lz4, zstd or no compression");
}

std::string CodecName(Compression codec) {
  switch (codec) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kSnappy:
      return "snappy";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
  }
  return absl::StrCat("number ", static_cast<int>(codec));
}

std::optional<Compression> CodecOf(absl::string_view name) {
  for (const Compression codec : kCodecs) {
    if (name == CodecName(codec)) return codec;
  }
  return std::nullopt;
}

}  // namespace quipu
