// The request model of the fast path: produce, fetch and the replica stream, as plain values whose
// record bytes are shared slices. Wire layout: proto/message/stream.proto; codecs: *_codec.h.
// Field meanings are commented there; here only what differs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error_code.h"
#include "base/ids.h"

namespace quipu {

struct ProducePartition {
  TopicId topic_id;
  PartitionIndex partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Bytes records;
};
struct ProduceRequest {
  uint64_t request_id = 0;
  int32_t acks = -1;
  int32_t timeout_ms = 30000;
  std::string client_id;
  std::vector<ProducePartition> partitions;
};
struct ProducePartitionResult {
  TopicId topic_id;
  PartitionIndex partition;
  ErrorCode error = ErrorCode::kNone;
  Offset base_offset = kNoOffset;
  TimestampMs log_append_time = kNoTimestamp;
  Offset log_start_offset = kNoOffset;
  BrokerId leader_id = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string error_message;
};
struct ProduceResponse {
  uint64_t request_id = 0;
  std::vector<ProducePartitionResult> partitions;
};

struct FetchPartition {
  TopicId topic_id;
  PartitionIndex partition;
  Offset fetch_offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  int32_t max_bytes = 1 << 20;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
};
struct FetchRequest {
  uint64_t request_id = 0;
  int32_t max_wait_ms = 500;
  int32_t min_bytes = 1;
  int32_t max_bytes = 50 << 20;
  std::string client_id;
  std::vector<FetchPartition> partitions;
};
struct FetchPartitionResult {
  TopicId topic_id;
  PartitionIndex partition;
  ErrorCode error = ErrorCode::kNone;
  Offset high_watermark = kNoOffset;
  Offset last_stable_offset = kNoOffset;
  Offset log_start_offset = kNoOffset;
  std::vector<Bytes> batches;  // whole batches in order; on the wire one `records` field
  BrokerId leader_id = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  LeaderEpoch diverging_epoch = kNoLeaderEpoch;
  Offset diverging_end_offset = kNoOffset;
  std::string error_message = {};
  Offset refused_end_offset = kNoOffset;
};
struct FetchResponse {
  uint64_t request_id = 0;
  ErrorCode error = ErrorCode::kNone;
  std::vector<FetchPartitionResult> partitions;
};

struct ReplicaOpen {
  ClusterId cluster_id;
  BrokerId broker_id = kNoBroker;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  BrokerId leader_id = kNoBroker;
};
struct ReplicaUpdate {
  PartitionUid uid;
  LeaderEpoch leader_epoch;
  Offset fetch_offset;
  Offset durable_end_offset;
  Offset log_start_offset;
  LeaderEpoch last_epoch = kNoLeaderEpoch;
  bool restart = false;
  bool producers_unknown = false;  // the follower asks for the leader's, as of fetch_offset
};
struct RepairRequest {
  PartitionUid uid;
  LeaderEpoch leader_epoch;
  Offset last_offset;
  LeaderEpoch batch_epoch;
};
struct RepairAnswer {
  PartitionUid uid;
  LeaderEpoch leader_epoch;
  Offset last_offset;
  ErrorCode error = ErrorCode::kNone;
  Bytes records;
  Offset log_start_offset{0};  // of who answers; 0 also when it does not know
};
struct ReplicaToLeader {
  bool has_open = false;
  ReplicaOpen open;
  std::vector<ReplicaUpdate> updates;
  int64_t credit_bytes = 0;
  std::vector<RepairRequest> repairs = {};
};
struct ReplicaPush {
  PartitionUid uid;
  LeaderEpoch leader_epoch;
  ErrorCode error = ErrorCode::kNone;
  Offset high_watermark = kNoOffset;
  Offset log_start_offset = kNoOffset;
  std::vector<Bytes> batches;
  LeaderEpoch diverging_epoch = kNoLeaderEpoch;
  Offset diverging_end_offset = kNoOffset;
  // Of the first batch. Without batches: what `producers` is as of, or kNoOffset: it is none.
  Offset base_offset = kNoOffset;
  // Producer state: with kOffsetOutOfRange as of log_start_offset, else as base_offset says.
  Bytes producers = {};
  // Without an error: with `producers` and the batches up to here the state is whole.
  Offset producers_whole_at{0};
};
struct LeaderToReplica {
  ErrorCode error = ErrorCode::kNone;
  std::string error_message;
  std::vector<ReplicaPush> pushes;
  std::vector<RepairAnswer> repairs = {};
};

}  // namespace quipu
