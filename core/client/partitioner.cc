#include "core/client/partitioner.h"

#include "base/check.h"

namespace quipu {
namespace {

constexpr uint32_t kMultiplier = 0x5bd1e995U;
constexpr uint32_t kSeed = 0x9747b28cU;

uint32_t ByteAt(absl::string_view data, size_t position) {
  return static_cast<uint8_t>(data[position]);
}

}  // namespace

uint32_t Murmur2(absl::string_view data) {
  uint32_t hash = kSeed ^ static_cast<uint32_t>(data.size());
  size_t position = 0;
  for (; position + 4 <= data.size(); position += 4) {
    uint32_t word = ByteAt(data, position) | (ByteAt(data, position + 1) << 8U) |
                    (ByteAt(data, position + 2) << 16U) | (ByteAt(data, position + 3) << 24U);
    word *= kMultiplier;
    word ^= word >> 24U;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
  }
  const size_t rest = data.size() - position;
  if (rest >= 3) hash ^= ByteAt(data, position + 2) << 16U;
  if (rest >= 2) hash ^= ByteAt(data, position + 1) << 8U;
  if (rest >= 1) {
    hash ^= ByteAt(data, position);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13U;
  hash *= kMultiplier;
  hash ^= hash >> 15U;
  return hash;
}

PartitionIndex PartitionForKey(absl::string_view key, int32_t partition_count) {
  QUIPU_CHECK(partition_count > 0);
  const auto positive = static_cast<int32_t>(Murmur2(key) & 0x7fffffffU);
  return PartitionIndex(positive % partition_count);
}

}  // namespace quipu
