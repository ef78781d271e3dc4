// One replica of one partition as a shard drives it: the pure PartitionCore, the log that it writes
// to, and who waits for what. Plain data; the parts of the shard act on it. Shard thread only.
#pragma once

#include <memory>
#include <optional>

#include "absl/container/btree_map.h"
#include "broker/metrics/stage_times.h"
#include "core/replication/partition_core.h"

namespace quipu {

// A fetch that waits for a partition to grow. It has one watch of it at most.
struct PartitionWatch {
  size_t home_shard;  // whose FetchWaiters owns the wait
  uint64_t wait_id;

  friend auto operator<=>(const PartitionWatch& a, const PartitionWatch& b) = default;
};

struct PartitionHost {
  PartitionHost(PartitionCore::Options options, RecoveredLog recovered, LogId log)
      : uid(options.identity.uid), log_id(log), core(std::move(options), std::move(recovered)) {}

  const PartitionUid uid;
  const LogId log_id;
  PartitionCore core;

  // What the core was told last; an equal assignment is not repeated.
  std::optional<PartitionAssignment> assignment;

  // ---- the log ----
  size_t submissions = 0;  // handed to the writer, not yet durable
  std::optional<LogMutation>
      truncation;           // held back until nothing else is on its way (see ShardLog)
  bool recovering = false;  // truncated; the log is being read again
  bool dropping = false;    // resigned; the log goes when nothing is on its way

  // ---- time ----
  std::optional<Instant> scheduled;     // its entry in the shard's deadlines
  TimestampMs last_ack = kNoTimestamp;  // newest acknowledgement
  bool retention_running = false;
  bool retention_failed = false;  // the last time
  size_t grown_bytes = 0;         // appended since retention was looked at

  StageTimes stages;

  // ---- this turn ----
  bool touched = false;        // is in the turn's list
  bool readers_dirty = false;  // watches have to be looked at
  bool send_dirty = false;     // followers may be sent something
  bool role_dirty = false;     // leader, follower or epoch changed

  // Where what each has seen or been told of ends (exclusive).
  absl::btree_map<PartitionWatch, Offset> watches;
};

}  // namespace quipu
