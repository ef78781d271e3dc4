// The states that a walk has met, by their hashes.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace quipu::explore {

// In shards, so that threads hardly wait for one another, and growth copies little at a time. Some
// 20 to 40 bytes a state. Thread-safe.
class SeenSet {
 public:
  using Hash = std::pair<uint64_t, uint64_t>;

  // True when it was not there.
  bool Insert(const Hash& hash) {
    Shard& shard = shards_[hash.second % kShards];
    const std::lock_guard lock(shard.mutex);
    return shard.hashes.insert(hash).second;
  }

 private:
  static constexpr size_t kShards = 256;
  struct ItsHalf {  // a hash needs no hashing
    size_t operator()(const Hash& hash) const { return hash.first; }
  };
  struct Shard {
    std::mutex mutex;
    absl::flat_hash_set<Hash, ItsHalf> hashes;
  };
  std::array<Shard, kShards> shards_;
};

}  // namespace quipu::explore
