// What a shard counts, and what it tells when it is asked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/measure/histogram.h"
#include "core/replication/partition_core.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Since the start of the process. Counted where it happens; never read by what decides.
struct TopicCounters {
  uint64_t produced_records = 0;  // appended as leader
  uint64_t produced_bytes = 0;
  uint64_t consumed_records = 0;  // in answers to consumers
  uint64_t consumed_bytes = 0;
};

// Plain values. Shard thread only; copies are snapshots.
struct ShardCounters {
  Histogram produce_queue{kLatencyBounds};
  Histogram produce_sync{kLatencyBounds};
  Histogram produce_replication{kLatencyBounds};
  Histogram produce_total{kLatencyBounds};
  Histogram fetch_read{kLatencyBounds};
  Histogram fetch_total{kLatencyBounds};
  absl::btree_map<TopicId, TopicCounters> topics;
  uint64_t replicated_bytes = 0;
  uint64_t leaderships = 0;
  uint64_t isr_shrinks = 0;
  uint64_t isr_expands = 0;
  uint64_t expired_offsets = 0;  // of groups
  uint64_t expired_groups = 0;

  // The batches of `appends` were appended by the leader, or by a follower.
  void CountAppends(const TopicId& topic, const std::vector<StoredBatch>& appends, bool leads);
  // The ISR of a partition that is led here was `before`, and is `after`.
  void CountIsr(const std::vector<BrokerId>& before, const std::vector<BrokerId>& after);
  // These batches went to a consumer.
  void CountConsumed(const TopicId& topic, const std::vector<Bytes>& batches);
};

// One replica.
struct PartitionMetrics {
  PartitionUid uid;
  TopicId topic;
  PartitionIndex index;
  PartitionRole role = PartitionRole::kNone;
  Offset log_start;
  Offset high_watermark;  // of a follower: as it was told last
  Offset log_end;
  Offset durable_end;
  std::vector<PartitionCore::FollowerLag> followers;  // of a leader
};

// One group with what it has committed, as appended to the coordinator's log.
struct GroupMetrics {
  struct Committed {
    TopicId topic;
    PartitionIndex index;
    Offset offset;
    TimestampMs at;
  };
  std::string group;
  size_t members = 0;
  std::vector<Committed> offsets;
};

// A shard at one moment.
struct ShardMetrics {
  ShardCounters counters;
  std::vector<PartitionMetrics> partitions;
  size_t partitions_left_out = 0;
  std::vector<GroupMetrics> groups;
  size_t group_partitions_left_out = 0;
  absl::btree_map<std::pair<std::string, std::string>, size_t> groups_by_state;  // kind, state
  size_t group_requests_waiting = 0;
  size_t group_bytes = 0;          // that groups take in memory, about
  size_t replicas[3] = {0, 0, 0};  // by PartitionRole
  size_t parked_acks = 0;
  size_t fetch_waiters = 0;
  size_t unsynced_bytes = 0;
  size_t undurable_pushed_bytes = 0;  // pushed by leaders and not yet durable here
  size_t damaged_batches = 0;         // known and not repaired
  uint64_t repaired_batches = 0;      // since the start of the process
  size_t repair_reads = 0;            // under way for peers
};

}  // namespace quipu
