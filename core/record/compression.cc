#include "core/record/compression.h"

#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace quipu {
namespace {

// What a fresh output buffer holds before it has to grow.
constexpr size_t kFirstOutputBytes = size_t{16} << 10;
// Kafka's default level of zstd.
constexpr int kZstdLevel = 3;

absl::Status Broken(absl::string_view what) { return ToStatus(ErrorCode::kCorruptMessage, what); }
absl::Status TooLarge() {
  return ToStatus(ErrorCode::kMessageTooLarge, "the decompressed records exceed the limit");
}

// An output buffer that doubles up to a cap. One byte more than the cap is allowed, so that
// output of exactly the cap can be told from output that goes on.
class CappedOutput {
 public:
  explicit CappedOutput(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Makes room at the end. False when the cap is passed.
  bool MakeRoom() {
    if (used_ > bytes_max_) return false;
    if (used_ == text_.size()) {
      text_.resize(std::min(bytes_max_ + 1, std::max(kFirstOutputBytes, 2 * text_.size())));
    }
    return true;
  }
  [[nodiscard]] char* room() { return text_.data() + used_; }
  [[nodiscard]] size_t room_bytes() const { return text_.size() - used_; }
  void Advance(size_t bytes) { used_ += bytes; }
  [[nodiscard]] bool IsOverCap() const { return used_ > bytes_max_; }
  std::string Take() {
    text_.resize(used_);
    return std::move(text_);
  }

 private:
  size_t bytes_max_;
  size_t used_ = 0;
  std::string text_;
};

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
    if (!out.MakeRoom()) return TooLarge();
    size_t produced = out.room_bytes();
    size_t consumed = data.size();
    hint = LZ4F_decompress(context.get(), out.room(), &produced, data.data(), &consumed, nullptr);
    if (LZ4F_isError(hint) != 0) return Broken("broken lz4 frame");
    out.Advance(produced);
    data.remove_prefix(consumed);
    if (hint != 0 && produced == 0 && consumed == 0) return Broken("lz4 frame is cut off");
  }
  if (out.IsOverCap()) return TooLarge();
  if (!data.empty()) return Broken("bytes after the lz4 frame");
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
    if (!out.MakeRoom()) return TooLarge();
    ZSTD_outBuffer output{out.room(), out.room_bytes(), 0};
    const size_t position_before = input.pos;
    hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint) != 0)
      return Broken(absl::StrCat("zstd frame: ", ZSTD_getErrorName(hint)));
    out.Advance(output.pos);
    if (hint != 0 && output.pos == 0 && input.pos == position_before) {
      return Broken("zstd frame is cut off");
    }
  }
  if (out.IsOverCap()) return TooLarge();
  return out.Take();
}

}  // namespace

bool IsSupported(Compression codec) {
  return codec == Compression::kNone || codec == Compression::kLz4 || codec == Compression::kZstd;
}

std::string Compress(Compression codec, absl::string_view data) {
  QUIPU_CHECK(IsSupported(codec));
  switch (codec) {
    case Compression::kLz4:
      return CompressLz4(data);
    case Compression::kZstd:
      return CompressZstd(data);
    case Compression::kNone:
    case Compression::kGzip:
    case Compression::kSnappy:
      break;
  }
  return std::string(data);
}

absl::StatusOr<std::string> Decompress(Compression codec, absl::string_view data,
                                       size_t output_bytes_max) {
  switch (codec) {
    case Compression::kNone:
      if (data.size() > output_bytes_max) return TooLarge();
      return std::string(data);
    case Compression::kLz4:
      return DecompressLz4(data, output_bytes_max);
    case Compression::kZstd:
      return DecompressZstd(data, output_bytes_max);
    case Compression::kGzip:
    case Compression::kSnappy:
      break;
  }
  return ToStatus(ErrorCode::kUnsupportedCompressionType, "use lz4, zstd or no compression");
}

}  // namespace quipu
