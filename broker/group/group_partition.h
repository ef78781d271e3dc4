// The partition of __consumer_offsets that keeps a group.
#pragma once

#include <cstddef>
#include <string>

#include "base/ids.h"

namespace quipu {

// Kafka's partition of a group: Java's String.hashCode, made positive, modulo `partitions` (> 0).
PartitionIndex GroupPartition(const std::string& group_id, size_t partitions);

}  // namespace quipu
