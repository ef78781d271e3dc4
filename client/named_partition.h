// Partitions as people name them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "core/client/consumer_types.h"

namespace quipu {

// A partition by the name of its topic.
struct NamedPartition {
  std::string topic;
  PartitionIndex partition;
  friend bool operator==(const NamedPartition&, const NamedPartition&) = default;
  friend auto operator<=>(const NamedPartition&, const NamedPartition&) = default;
};
// The answer to "which record was the first at or after this time".
struct OffsetAndTimestamp {
  Offset offset = kNoOffset;             // kNoOffset: there is no such record
  TimestampMs timestamp = kNoTimestamp;  // of that record
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};
using NamedTimes = std::vector<std::pair<NamedPartition, OffsetAndTimestamp>>;
using NamedOffsets = std::vector<std::pair<NamedPartition, OffsetAndMetadata>>;

}  // namespace quipu
