// Retention by time and size: asks the store where the log should start and tells the core, which
// alone decides (never beyond the high watermark, leader only). Shard thread only.
#pragma once

#include "broker/shard/shard_context.h"

namespace quipu {

class Retention {
 public:
  // `context` must outlive it.
  explicit Retention(ShardContext& context) : context_(context) {}
  // Checks every log.retention.check.interval.ms from now on.
  void Start();
  // One round over all partitions led here that have a limit.
  void CheckAll();
  // Checks a log that has grown by a quarter of its retention.bytes, 1 MiB at least and 4 MiB at
  // most, without waiting for the round (which alone tries again what has failed): what it gives
  // back comes in small parts, whose space the next appends can use.
  void OnGrown(PartitionHost& host);

 private:
  static bool MayCheck(const PartitionHost& host);
  void Check(PartitionHost& host);

  ShardContext& context_;
};

}  // namespace quipu
