#include "broker/group/group_partition.h"

#include <cstdint>
#include <cstdlib>

namespace quipu {

PartitionIndex GroupPartition(const std::string& group_id, size_t partitions) {
  uint32_t hash = 0;
  for (const char c : group_id) hash = hash * 31 + static_cast<uint8_t>(c);
  // Kafka's Utils.abs: the smallest number has no positive counterpart and becomes 0.
  const auto value = static_cast<int32_t>(hash);
  const uint32_t positive = value == INT32_MIN ? 0 : static_cast<uint32_t>(std::abs(value));
  return PartitionIndex(static_cast<int32_t>(positive % partitions));
}

}  // namespace quipu
