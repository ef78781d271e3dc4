// The newest batches of a shard's partitions, in memory: those not yet durable, which can be read
// nowhere else, and behind them as many recent ones as are to stay.
//
// Followers and consumers at the tail are served from here without touching the disk. Of each
// partition it holds a contiguous run of batches that ends at the log end (or nothing). Batches
// that are not durable are never evicted; the host refuses produce when they alone fill the bound.
// Shard thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/replication/partition_types.h"

namespace quipu {

class UnsyncedTail {
 public:
  // `unsynced_bytes_max`: quipu.unsynced.tail.bytes.max. `synced_bytes_max`: quipu.tail.bytes.
  UnsyncedTail(size_t unsynced_bytes_max, size_t synced_bytes_max)
      : unsynced_bytes_max_(unsynced_bytes_max), synced_bytes_max_(synced_bytes_max) {}

  // Takes the batch that follows the newest one of `uid`, not yet durable.
  void Append(PartitionUid uid, const StoredBatch& batch);
  // All batches of `uid` below `durable_end` (exclusive) are synced: they may be evicted.
  void OnDurable(PartitionUid uid, Offset durable_end);
  // Forgets batches with last_offset >= `log_end`.
  void Truncate(PartitionUid uid, Offset log_end);
  // Forgets the partition.
  void Drop(PartitionUid uid);

  // Whether a read from `from` needs no disk.
  [[nodiscard]] bool Covers(PartitionUid uid, Offset from) const;
  // Whole batches from the one that contains `from` up to `end` (exclusive; a batch that reaches
  // beyond is left out): at least one when there is one, then as many as fit `bytes_max`.
  // Precondition: Covers(uid, from).
  [[nodiscard]] std::vector<StoredBatch> Read(PartitionUid uid, Offset from, Offset end,
                                              size_t bytes_max) const;
  // Bytes of the batches in [from, end); nullopt when the run does not reach down to `from`.
  [[nodiscard]] std::optional<size_t> BytesBetween(PartitionUid uid, Offset from, Offset end) const;

  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] size_t unsynced_bytes() const { return unsynced_bytes_; }
  // No room for more: everything held is still waiting for its sync.
  [[nodiscard]] bool full() const { return unsynced_bytes_ >= unsynced_bytes_max_; }

 private:
  struct Entry {
    StoredBatch batch;
    uint64_t sequence;
  };
  struct Run {
    std::deque<Entry> entries;
    size_t synced = 0;  // entries from the front that are durable
  };
  using RunMap = absl::flat_hash_map<PartitionUid, Run>;

  // First entry with last_offset >= from.
  static std::deque<Entry>::const_iterator Find(const Run& run, Offset from);
  void Evict();
  void PopBack(Run& run);

  const size_t unsynced_bytes_max_;
  const size_t synced_bytes_max_;
  RunMap runs_;  // looked up, never iterated
  // Every entry in order of Append; an entry that is gone is skipped by its sequence.
  std::deque<std::pair<PartitionUid, uint64_t>> order_;
  uint64_t next_sequence_ = 1;
  size_t bytes_ = 0;
  size_t unsynced_bytes_ = 0;
};

}  // namespace quipu
