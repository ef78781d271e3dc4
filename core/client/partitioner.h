// Which partition a record goes to.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace quipu {

// MurmurHash2, 32 bits, with the seed that Kafka's Java client uses, so that one key lands on the
// same partition whatever client wrote it.
uint32_t Murmur2(absl::string_view data);

// The partition of a key: murmur2 with the sign bit cleared, modulo `partition_count` (> 0).
// Source: Kafka's built-in partitioner (BuiltInPartitioner.partitionForKey).
PartitionIndex PartitionForKey(absl::string_view key, int32_t partition_count);

}  // namespace quipu
