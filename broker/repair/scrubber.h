// Reads everything that a shard's replicas have stored again, slowly, so that damage is found and
// repaired while other copies are sound. Shard thread only.
#pragma once

#include "broker/shard/shard_context.h"

namespace quipu {

// One read at a time, at quipu.scrub.bytes.per.second divided by the shards; after a pass over all
// partitions it rests for quipu.scrub.interval.ms.
class Scrubber {
 public:
  // `context` must outlive it.
  explicit Scrubber(ShardContext& context) : context_(context) {}
  void Start();

 private:
  void ScheduleStep(Duration delay);
  void Step();
  void LeavePartition();
  void OnRead(Offset from, const absl::StatusOr<std::vector<StoredBatch>>& batches);
  [[nodiscard]] Duration TimeFor(size_t bytes) const;

  ShardContext& context_;
  PartitionUid uid_;  // reading it, or the next one there is
  Offset offset_{0};
};

}  // namespace quipu
