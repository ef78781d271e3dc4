// What goes into a PartitionCore and what comes out of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/bytes.h"
#include "base/error_code.h"
#include "base/fingerprint.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/record/record_batch.h"
#include "core/request/log_messages.h"

namespace quipu {

// ---- what is kept in the store ------------------------------------------------------------

// Where an epoch's records begin.
struct EpochEntry {
  LeaderEpoch epoch;
  Offset start_offset;
  void AddTo(Fingerprint& state) const { state.Add(epoch, start_offset); }
  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

// One batch of an idempotent producer, as remembered for duplicates.
struct ProducerBatch {
  Sequence base_sequence;
  Sequence last_sequence;
  Offset base_offset;
  Offset last_offset;
  TimestampMs timestamp;
  void AddTo(Fingerprint& state) const {
    state.Add(base_sequence, last_sequence, base_offset, last_offset, timestamp);
  }
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};
struct ProducerEntry {
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  TimestampMs last_timestamp;
  std::vector<ProducerBatch> batches;  // oldest first, at most kProducerBatchesMax
  void AddTo(Fingerprint& state) const {
    state.Add(producer_id, producer_epoch, last_timestamp, batches);
  }
  friend bool operator==(const ProducerEntry&, const ProducerEntry&) = default;
};
struct ProducerSnapshot {
  Offset as_of;  // exclusive: covers all batches below it
  std::vector<ProducerEntry> producers;
  friend bool operator==(const ProducerSnapshot&, const ProducerSnapshot&) = default;
};

// The small durable state beside the batches.
struct PartitionState {
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch{-1};
  Offset log_start_offset{0};
  Offset high_watermark{0};  // a lower bound; never above the durable end
  friend bool operator==(const PartitionState&, const PartitionState&) = default;
};

// A stored batch that fails its checksums. Only its key, the last offset, is certain; where it
// begins follows from the batch before it.
struct DamagedBatch {
  Offset first_offset;  // the end of the batch before it; 0 when there is none
  Offset last_offset;
  friend bool operator==(const DamagedBatch&, const DamagedBatch&) = default;
};

// Of the damaged batches that a recovery meets at most so many are named.
inline constexpr size_t kDamagedBatchesNamed = 64;

// What the store knows of a log when it is opened or has been truncated.
struct RecoveredLog {
  PartitionState state;
  Offset log_end_offset{0};  // = durable end
  std::vector<EpochEntry> epochs;
  // Producer state at log_end_offset: snapshot plus the batches behind it.
  std::vector<ProducerEntry> producers;
  // Batches that had to be read for `producers` and are damaged, ascending, the first few: while
  // there is one, what the producers have sent is not known.
  std::vector<DamagedBatch> damaged = {};
};

// ---- what a partition is ------------------------------------------------------------------

struct PartitionIdentity {
  PartitionUid uid;
  TopicId topic_id;
  PartitionIndex index;
  std::string topic_name;
  bool internal = false;
};

// Topic configs as they apply to this partition.
struct PartitionConfig {
  int32_t min_insync_replicas = 2;
  size_t message_bytes_max = 1048588;  // max.message.bytes
  TimestampType timestamp_type = TimestampType::kCreateTime;
  int64_t retention_ms = -1;
  int64_t retention_bytes = -1;
  // compression.type: what produced batches are stored with; nullopt: as they were sent.
  std::optional<Compression> compression = std::nullopt;
};

// Limits that are the broker's, not the topic's.
struct PartitionLimits {
  Duration replica_lag_max = std::chrono::milliseconds(10000);   // replica.lag.time.max.ms
  Duration producer_id_expiration = std::chrono::hours(24 * 7);  // producer.id.expiration.ms
  size_t producers_max = 100000;
  size_t parked_acks_max = 10000;  // answered with kLimitReached beyond
  bool validate_compressed = false;
  int64_t producer_snapshot_bytes = int64_t{64} << 20;  // a snapshot every so many log bytes
};

struct ReplicaInfo {
  BrokerId broker;
  BrokerEpoch epoch;  // of its registration in this image; kNoBrokerEpoch: not registered
  bool fenced = true;
  bool in_controlled_shutdown = false;
  bool disk_stalled = false;
  bool draining = false;  // joins the ISR only where the minimum needs it
  void AddTo(Fingerprint& state) const {
    state.Add(broker, epoch, fenced, in_controlled_shutdown, disk_stalled, draining);
  }
};

// A partition's state in a metadata image.
struct PartitionAssignment {
  LeaderEpoch leader_epoch;
  PartitionEpoch partition_epoch;
  BrokerId leader = kNoBroker;
  std::vector<ReplicaInfo> replicas;
  std::vector<BrokerId> isr;
  std::vector<BrokerId> elr;
  // Leader epoch of the newest unclean recovery; kNoLeaderEpoch: none.
  LeaderEpoch unclean_epoch = kNoLeaderEpoch;
  PartitionConfig config;
  void AddTo(Fingerprint& state) const {
    state.Add(leader_epoch, partition_epoch, leader, replicas, isr, elr,
              config.min_insync_replicas);
  }
};

// ---- inputs --------------------------------------------------------------------------------

// Names the one who waits for an answer; opaque to the core.
using ReplyToken = uint64_t;

struct ProduceInput {
  ReplyToken token = 0;
  int32_t acks = -1;
  Duration timeout = std::chrono::milliseconds(30000);
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  // kNoLeaderEpoch: unchecked
  Bytes records;                              // exactly one batch
  bool from_coordinator = false;              // internal records: no producer checks, any attribute
};

struct ReadInput {
  Offset fetch_offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
};

// ---- outputs -------------------------------------------------------------------------------

struct ProduceReply {
  ReplyToken token = 0;
  ErrorCode error = ErrorCode::kNone;
  Offset base_offset = kNoOffset;
  // Exclusive end of the batch; a coordinator waits for the high watermark to reach it.
  Offset end_offset = kNoOffset;
  TimestampMs log_append_time = kNoTimestamp;
  std::string message;
};

struct DeleteRecordsReply {
  ReplyToken token = 0;
  ErrorCode error = ErrorCode::kNone;
  Offset log_start_offset = kNoOffset;
};

// One batch to be stored.
struct StoredBatch {
  Offset base_offset;
  Offset last_offset;  // inclusive
  TimestampMs max_timestamp;
  Bytes bytes;
};

// One atomic change of one log. Within a mutation: truncate, repair, then append, then the rest.
struct LogMutation {
  std::optional<Offset> truncate_to;  // new log end: batches with last_offset >= it go
  // Each takes the place of the batch that is stored under the same last offset (D5). One that has
  // no such place (truncated or trimmed meanwhile), or begins before the end of the batch before
  // it, is left out.
  std::vector<StoredBatch> repairs;
  std::vector<StoredBatch> appends;  // ascending
  // Present: the whole list of epoch entries after this mutation.
  std::optional<std::vector<EpochEntry>> epochs;
  std::optional<PartitionState> state;
  std::optional<ProducerSnapshot> producers;
  [[nodiscard]] bool empty() const {
    return !truncate_to && repairs.empty() && appends.empty() && !epochs && !state && !producers;
  }
};

// A wish to change the ISR, for the controller (KIP-497).
struct IsrProposal {
  PartitionUid uid;
  LeaderEpoch leader_epoch;
  PartitionEpoch partition_epoch;
  std::vector<std::pair<BrokerId, BrokerEpoch>> new_isr;
  void AddTo(Fingerprint& state) const { state.Add(uid, leader_epoch, partition_epoch, new_isr); }
};

// What one input to a core brings about. The caller appends nothing itself, clears it between
// turns, and carries everything out in this order: mutation, then messages, then replies.
struct PartitionEffects {
  LogMutation mutation;  // submit to the log; then OnLogDurable
  std::vector<ProduceReply> replies;
  std::vector<DeleteRecordsReply> delete_replies;
  std::optional<IsrProposal> isr_proposal;     // send; then OnIsrResult
  std::vector<ReplicaUpdate> replica_updates;  // follower: send to the leader, in order
  std::vector<std::pair<BrokerId, ReplicaPush>> replica_answers;  // leader: errors, divergence
  bool log_end_moved = false;         // leader: followers may be sent more
  bool high_watermark_moved = false;  // fetch waiters, followers and coordinators want to know
  bool log_start_moved = false;       // publish the trim (after the mutation is durable)
  bool role_changed = false;          // leader <-> follower <-> none, or a new leader epoch
  // Follower: `mutation.truncate_to` is set. When durable, recover the log again and OnTruncated.
  bool truncating = false;
};

enum class PartitionRole { kNone, kLeader, kFollower };

}  // namespace quipu
