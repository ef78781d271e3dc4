// What a client tells of itself every statistics.interval.ms. Counters begin with the client and
// only grow; whoever wants a rate takes the difference of two. Latencies are those of the time
// since the statistics before, so of the last statistics.interval.ms.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "client/named_partition.h"
#include "core/client/client_types.h"

namespace quipu {

struct PartitionProduced {
  NamedPartition partition;
  uint64_t acknowledged = 0;  // records
  uint64_t not_stored = 0;    // failed, and not in the log
  uint64_t unknown = 0;       // failed, and perhaps in the log
};

struct ProducerStatistics {
  TimestampMs time = kNoTimestamp;  // this machine's clock
  uint64_t records_sent = 0;        // taken over by Send and TrySend
  uint64_t bytes_sent = 0;          // keys and values of those
  uint64_t records_refused = 0;     // not taken over by Send
  uint64_t acknowledged = 0;        // these three: the sums of `partitions`
  uint64_t not_stored = 0;
  uint64_t unknown = 0;
  uint64_t records_waiting = 0;  // taken over and not yet reported
  ProducerStats batches;
  // Of batches in the buffer (linger.ms is a part of it) and of requests at the brokers.
  ProducerLatencies latencies;
  std::vector<PartitionProduced> partitions;  // that something was reported of, in order
};

struct PartitionConsumed {
  NamedPartition partition;
  uint64_t records = 0;               // returned by Poll
  uint64_t bytes = 0;                 // keys and values of those
  Offset position = kNoOffset;        // due next; kNoOffset: looked up, or not read any more
  Offset high_watermark = kNoOffset;  // as last heard; kNoOffset: nothing yet
  std::optional<int64_t> lag;         // records between the two; nullopt: one is not known
  bool assigned = false;              // read now
  bool paused = false;
};

struct ConsumerStatistics {
  TimestampMs time = kNoTimestamp;
  std::string member_id;
  int32_t member_epoch = 0;  // 0: no member of a group now
  uint64_t records = 0;      // these two: the sums of `partitions`
  uint64_t bytes = 0;
  uint64_t commits = 0;         // acknowledged
  uint64_t commits_failed = 0;  // refused or given up
  int64_t lag = 0;              // sum of what is known
  FetchStats fetches;
  // Round trips of the fetches that brought records. A fetch of a consumer that is at the end waits
  // at the broker for the next record: that is a part of it.
  LatencySummary fetch_latency;
  std::vector<PartitionConsumed> partitions;  // assigned now or read before, in order
};

// Run on the client's owner thread, which sends and receives nothing meanwhile: must not block, and
// must not call Close or destroy the client. Other calls are allowed as from callbacks.
using ProducerStatisticsFn = std::function<void(const ProducerStatistics&)>;
using ConsumerStatisticsFn = std::function<void(const ConsumerStatistics&)>;

}  // namespace quipu
