// What each broker's disk durably holds, as told by the writes that reached it: the truth that the
// checkers compare with.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "storage/log_store.h"
#include "storage/memory_log_store.h"

namespace quipu::sim {

struct ShadowBatch {
  Offset base_offset;
  Offset last_offset;
  LeaderEpoch epoch;
  uint32_t crc = 0;
  friend bool operator==(const ShadowBatch&, const ShadowBatch&) = default;
};

// The durable log of one replica.
struct ShadowLog {
  std::map<Offset, ShadowBatch> batches;  // by last offset
  Offset log_start{0};
  [[nodiscard]] Offset end() const {
    const Offset last = batches.empty() ? Offset(0) : batches.rbegin()->first + 1;
    return std::max(log_start, last);
  }
};

// All replicas of all brokers. Also checks I29 at every write: one (partition, epoch, offset) has
// one record hash for ever, on whichever disk; and I64: a repair writes what had been there.
class ShadowLogs {
 public:
  // A group of writes became durable on `broker`. `uid_of` maps log ids of its disk.
  void OnDurable(BrokerId broker, const LogStore& disk, const std::vector<LogWrite>& writes);
  // A batch on the broker's disk reads as something else now; what belongs there stays known.
  void OnDamaged(BrokerId broker, PartitionUid uid, Offset last_offset);
  // The broker has another disk now: what it holds is what `disk` holds, or held before it was
  // damaged.
  void OnReplaced(BrokerId broker, const MemoryLogStore& disk);
  // nullptr: the broker has never written to this partition.
  [[nodiscard]] const ShadowLog* Find(BrokerId broker, PartitionUid uid) const;
  [[nodiscard]] Offset End(BrokerId broker, PartitionUid uid) const;
  // Requires that `a` and `b` hold the same batches in [max of `from` and the starts, end).
  void RequireSame(const char* id, PartitionUid uid, BrokerId a, BrokerId b, Offset from,
                   Offset end) const;

  // Batches repaired so far.
  [[nodiscard]] uint64_t repairs() const { return repairs_; }

 private:
  using Key = std::pair<BrokerId, PartitionUid>;
  std::map<Key, ShadowLog> logs_;
  std::map<std::pair<PartitionUid, std::pair<LeaderEpoch, Offset>>, uint32_t> first_seen_;
  std::map<std::pair<Key, Offset>, ShadowBatch> damaged_;  // what belongs there
  uint64_t repairs_ = 0;
};

}  // namespace quipu::sim
