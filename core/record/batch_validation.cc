// ValidateBatch and DecodedBatch of record_batch.h.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/record/batch_layout.h"
#include "core/record/compression.h"
#include "core/record/record_batch.h"
#include "core/record/record_walker.h"

namespace quipu {
namespace {

namespace layout = batch_layout;

// The last millisecond of the year 9999: no clock is honestly past it.
constexpr TimestampMs kTimestampMax{253402300799999};

constexpr unsigned kKnownAttributes = layout::kCodecMask | layout::kLogAppendTimeBit |
                                      layout::kTransactionalBit | layout::kControlBit |
                                      layout::kDeleteHorizonBit;

bool IsPlausible(TimestampMs timestamp) {
  return timestamp >= kNoTimestamp && timestamp <= kTimestampMax;
}

// Bits that a producer has no business with: control batches and delete horizons are the broker's,
// log-append time is the topic's choice, and there are no transactions to take part in.
ErrorCode ValidateAttributes(const RecordBatchView& batch) {
  const unsigned attributes = static_cast<uint16_t>(batch.attributes());
  if (!IsSupported(batch.compression())) return ErrorCode::kUnsupportedCompressionType;
  if ((attributes & ~kKnownAttributes) != 0) return ErrorCode::kInvalidRecord;
  if ((attributes & layout::kDeleteHorizonBit) != 0) return ErrorCode::kInvalidRecord;
  if (batch.is_control() || batch.is_transactional()) return ErrorCode::kInvalidRecord;
  if (batch.timestamp_type() != TimestampType::kCreateTime) return ErrorCode::kInvalidRecord;
  return ErrorCode::kNone;
}

// Without a producer id, clients disagree on what they leave in epoch and sequence; both are then
// without meaning and are let through.
bool HasValidProducerFields(const RecordBatchView& batch) {
  if (batch.producer_id() == kNoProducerId) return true;
  return batch.producer_id() > kNoProducerId && batch.producer_epoch() >= ProducerEpoch(0) &&
         batch.base_sequence() >= Sequence(0);
}

// Whether the header's times cannot be those of the records: one was left unset, or the maximum is
// below the time that the records' own are counted from. librdkafka leaves a maximum of 0 where no
// record has a time.
bool HasDoubtfulTimes(const RecordBatchView& batch) {
  return batch.base_timestamp() == kNoTimestamp || batch.max_timestamp() < batch.base_timestamp();
}

ErrorCode ValidateRecords(const RecordBatchView& batch, absl::string_view records,
                          std::optional<TimestampMs>& max_create_time) {
  RecordWalker walker(batch, records);
  RecordView record;
  bool plausible = true;
  while (walker.Next(record)) plausible = plausible && IsPlausible(record.timestamp);
  if (!walker.ok() || !walker.is_dense()) return ErrorCode::kInvalidRecord;
  if (!plausible) return ErrorCode::kInvalidTimestamp;
  max_create_time = walker.max_create_time();
  return ErrorCode::kNone;
}

}  // namespace

BatchVerdict ValidateBatch(const RecordBatchView& batch, const BatchLimits& limits) {
  if (batch.size() > limits.batch_bytes_max) return {ErrorCode::kMessageTooLarge};
  if (!batch.CrcMatches()) return {ErrorCode::kCorruptMessage};
  if (const ErrorCode error = ValidateAttributes(batch); error != ErrorCode::kNone) return {error};
  // Written so that it cannot overflow: Parse keeps last_offset_delta >= record_count - 1.
  if (batch.record_count() < 1 || batch.last_offset_delta() != batch.record_count() - 1) {
    return {ErrorCode::kInvalidRecord};
  }
  if (!IsPlausible(batch.base_timestamp()) || !IsPlausible(batch.max_timestamp())) {
    return {ErrorCode::kInvalidTimestamp};
  }
  if (!HasValidProducerFields(batch)) return {ErrorCode::kInvalidRecord};
  BatchVerdict verdict;
  if (batch.compression() == Compression::kNone) {
    verdict.error = ValidateRecords(batch, batch.records(), verdict.max_create_time);
    return verdict;
  }
  if (batch.records().empty()) return {ErrorCode::kInvalidRecord};
  if (!limits.validate_compressed && !HasDoubtfulTimes(batch)) return verdict;
  const auto records =
      Decompress(batch.compression(), batch.records(), limits.decompressed_bytes_max);
  if (!records.ok()) return {CodeOf(records.status())};
  verdict.error = ValidateRecords(batch, *records, verdict.max_create_time);
  return verdict;
}

absl::StatusOr<DecodedBatch> DecodedBatch::Decode(const RecordBatchView& batch,
                                                  size_t decompressed_bytes_max) {
  DecodedBatch decoded;
  absl::string_view records;
  if (batch.compression() == Compression::kNone) {
    decoded.storage_ = batch.bytes();
    records = batch.records();
  } else {
    auto text = Decompress(batch.compression(), batch.records(), decompressed_bytes_max);
    if (!text.ok()) return text.status();
    decoded.storage_ = Bytes(std::move(text).value());
    records = decoded.storage_.view();
  }
  // Never reserves by a count that the bytes cannot hold.
  decoded.records_.reserve(std::min(static_cast<size_t>(batch.record_count()),
                                    records.size() / layout::kRecordBytesMin));
  RecordWalker walker(batch, records);
  RecordView record;
  while (walker.Next(record)) decoded.records_.push_back(std::move(record));
  if (!walker.ok()) {
    return ToStatus(ErrorCode::kCorruptMessage, "the records do not match the batch header");
  }
  return decoded;
}

}  // namespace quipu
