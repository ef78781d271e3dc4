// What a consumer's brain hands out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/client/client_types.h"
#include "core/record/record_batch.h"

namespace quipu {

// A decoded batch and where it comes from.
struct FetchedBatch {
  std::string topic;
  TopicPartition partition;
  LeaderEpoch leader_epoch;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  DecodedBatch decoded;
};

// One record of a poll. Cheap to copy: it shares the batch, and the views live as long as it.
class ConsumerRecord {
 public:
  ConsumerRecord(std::shared_ptr<const FetchedBatch> batch, size_t index)
      : batch_(std::move(batch)), record_(&batch_->decoded.records()[index]) {}

  [[nodiscard]] const std::string& topic() const { return batch_->topic; }
  [[nodiscard]] TopicId topic_id() const { return batch_->partition.topic_id; }
  [[nodiscard]] PartitionIndex partition() const { return batch_->partition.partition; }
  [[nodiscard]] Offset offset() const { return record_->offset; }
  [[nodiscard]] LeaderEpoch leader_epoch() const { return batch_->leader_epoch; }
  [[nodiscard]] TimestampMs timestamp() const { return record_->timestamp; }
  [[nodiscard]] TimestampType timestamp_type() const { return batch_->timestamp_type; }
  [[nodiscard]] const std::optional<absl::string_view>& key() const { return record_->key; }
  [[nodiscard]] const std::optional<absl::string_view>& value() const { return record_->value; }
  [[nodiscard]] const std::vector<RecordHeader>& headers() const { return record_->headers; }

 private:
  std::shared_ptr<const FetchedBatch> batch_;
  const RecordView* record_;
};

// Why a partition is not read on. It stays so until it is sought or assigned anew.
struct PartitionError {
  TopicPartition partition;
  std::string topic;
  ErrorCode error = ErrorCode::kNone;
  std::string message;
};

// A position to commit or to start from: the offset of the next record, and the leader epoch of the
// record before it (kNoLeaderEpoch: unknown), so that a truncation in between is noticed (R21).
struct OffsetAndMetadata {
  Offset offset = kNoOffset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
};
using PartitionOffsets = std::vector<std::pair<TopicPartition, OffsetAndMetadata>>;

}  // namespace quipu
