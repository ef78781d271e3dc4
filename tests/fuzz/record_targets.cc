// Fuzz targets: record batches and their codecs.
#include <string>

#include "base/big_endian.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "core/record/compression.h"
#include "core/record/record_batch.h"
#include "core/record/record_walker.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace quipu::fuzz {
namespace {

constexpr size_t kOutputBytesMax = size_t{1} << 20;

template <typename T>
void Put(std::string& bytes, size_t at, T value) {
  std::string encoded;
  AppendBigEndian(encoded, value);
  bytes.replace(at, encoded.size(), encoded);
}

// Length, magic and checksum made right, so that what lies behind them is reached.
std::string Sealed(absl::string_view bytes) {
  std::string sealed(bytes);
  Put(sealed, 8, static_cast<int32_t>(sealed.size() - kRecordBatchPrefixBytes));
  sealed[16] = 2;
  Put(sealed, 17, Crc32c(absl::string_view(sealed).substr(21)));
  return sealed;
}

void Stamp(const RecordBatchView& batch, std::optional<TimestampMs> append_time,
           std::optional<TimestampMs> max_create_time) {
  const Offset base(1000);
  const Bytes stamped = StampBatch(batch, base, LeaderEpoch(7), append_time, max_create_time);
  QUIPU_CHECK(stamped.size() == batch.size());
  const auto again = RecordBatchView::Parse(stamped);
  QUIPU_CHECK(again.ok());
  QUIPU_CHECK(again->base_offset() == base);
  QUIPU_CHECK(again->leader_epoch() == LeaderEpoch(7));
  QUIPU_CHECK(again->CrcMatches());
  QUIPU_CHECK(again->record_count() == batch.record_count());
  if (append_time) {
    QUIPU_CHECK(again->max_timestamp() == *append_time);
  } else if (max_create_time) {
    QUIPU_CHECK(again->max_timestamp() == *max_create_time);
  }
}

void One(absl::string_view raw) {
  const Bytes bytes = Bytes::CopyOf(raw);
  const auto batches = SplitBatches(bytes);
  if (batches.ok()) {
    size_t total = 0;
    for (const RecordBatchView& each : *batches) total += each.size();
    QUIPU_CHECK(total == bytes.size());
  }
  const auto batch = RecordBatchView::Parse(bytes);
  if (!batch.ok()) return;
  QUIPU_CHECK(batch->size() <= bytes.size());
  QUIPU_CHECK(batch->last_offset() >= batch->base_offset());

  BatchLimits limits;
  const BatchVerdict plain = ValidateBatch(*batch, limits);
  limits.validate_compressed = true;
  limits.decompressed_bytes_max = kOutputBytesMax;
  const ErrorCode full = ValidateBatch(*batch, limits).error;
  if (full == ErrorCode::kNone) QUIPU_CHECK(plain.error == ErrorCode::kNone);
  const auto decoded = DecodedBatch::Decode(*batch, kOutputBytesMax);
  if (full == ErrorCode::kNone) {
    QUIPU_CHECK(decoded.ok());
    QUIPU_CHECK(static_cast<int32_t>(decoded->records().size()) == batch->record_count());
    QUIPU_CHECK(decoded->records().front().offset == batch->base_offset());
    QUIPU_CHECK(decoded->records().back().offset == batch->last_offset());
  }
  if (plain.error == ErrorCode::kNone) {
    Stamp(*batch, std::nullopt, plain.max_create_time);
    Stamp(*batch, TimestampMs(1234567), plain.max_create_time);
  }
  RecordWalker walker(*batch, batch->records());
  RecordView record;
  int32_t walked = 0;
  while (walker.Next(record)) ++walked;
  QUIPU_CHECK(walked <= batch->record_count());
  if (walker.ok()) QUIPU_CHECK(walked == batch->record_count());
}

void Codec(Compression codec, absl::string_view bytes) {
  Input input(bytes);
  const size_t output_bytes_max = size_t{1} << input.Below(21);
  const absl::string_view data = input.Rest();
  const auto out = Decompress(codec, data, output_bytes_max);
  if (out.ok()) {
    QUIPU_CHECK(out->size() <= output_bytes_max);
    const auto again = Decompress(codec, Compress(codec, *out), out->size());
    QUIPU_CHECK(again.ok() && *again == *out);
  }
}

}  // namespace

void RecordBatch(absl::string_view bytes) {
  One(bytes);
  if (bytes.size() >= kRecordBatchHeaderBytes) One(Sealed(bytes));
}

void Gzip(absl::string_view bytes) { Codec(Compression::kGzip, bytes); }
void Snappy(absl::string_view bytes) { Codec(Compression::kSnappy, bytes); }
void Lz4(absl::string_view bytes) { Codec(Compression::kLz4, bytes); }
void Zstd(absl::string_view bytes) { Codec(Compression::kZstd, bytes); }

}  // namespace quipu::fuzz
