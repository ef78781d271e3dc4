// Builds one record batch, record by record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "core/record/record_batch.h"

namespace quipu {

struct RecordBatchOptions {
  Compression compression = Compression::kNone;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch{-1};
  Sequence base_sequence = kNoSequence;
  Offset base_offset{0};
  LeaderEpoch leader_epoch{-1};
  bool control = false;
};

// A record to write; the views need to live only during Add.
struct RecordInput {
  TimestampMs timestamp;
  std::optional<absl::string_view> key = std::nullopt;
  std::optional<absl::string_view> value = std::nullopt;
  std::vector<RecordHeader> headers = {};
};

// One owner, not thread-safe. Add any number of records, then Build once.
class RecordBatchBuilder {
 public:
  explicit RecordBatchBuilder(RecordBatchOptions options);

  void Add(const RecordInput& record);
  [[nodiscard]] int32_t record_count() const { return record_count_; }
  [[nodiscard]] bool empty() const { return record_count_ == 0; }
  // Uncompressed bytes of the batch as it stands, header included: an upper bound of Build's size
  // up to the codec's overhead.
  [[nodiscard]] size_t size_bytes() const { return kRecordBatchHeaderBytes + records_.size(); }
  // Bytes that Add(record) would add at most.
  static size_t SizeUpperBound(const RecordInput& record);

  // Producer fields may be set late: the sequence is given when the batch is first sent.
  void SetProducer(ProducerId id, ProducerEpoch epoch, Sequence base_sequence);

  // The finished batch. At least one record must have been added.
  Bytes Build();

 private:
  RecordBatchOptions options_;
  std::string records_;
  int32_t record_count_ = 0;
  TimestampMs base_timestamp_ = kNoTimestamp;
  TimestampMs max_timestamp_ = kNoTimestamp;
};

// A copy of a built batch with other producer fields and a new CRC; used when a producer's epoch is
// raised before a batch was ever sent.
Bytes WithProducer(const RecordBatchView& batch, ProducerId id, ProducerEpoch epoch,
                   Sequence base_sequence);

}  // namespace quipu
