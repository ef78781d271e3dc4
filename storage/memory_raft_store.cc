#include "storage/memory_raft_store.h"

#include "base/check.h"

namespace quipu {

absl::Status MemoryRaftStore::Write(const RaftWrite& write) {
  if (write.hard_state.has_value()) {
    QUIPU_INVARIANT("I2", write.hard_state->term >= hard_state_.term);
    hard_state_ = *write.hard_state;
  }
  if (write.snapshot.has_value()) snapshot_ = write.snapshot;
  if (write.truncate_from.has_value()) {
    entries_.erase(entries_.lower_bound(*write.truncate_from), entries_.end());
  }
  if (write.compact_to.has_value()) {
    entries_.erase(entries_.begin(), entries_.upper_bound(*write.compact_to));
  }
  for (const message::RaftEntry& entry : write.append) {
    const LogIndex index(entry.index());
    QUIPU_CHECK_MSG(entries_.empty() || index == entries_.rbegin()->first + 1,
                    "an entry that leaves a gap");
    entries_.emplace(index, entry);
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredRaft> MemoryRaftStore::Load() const {
  RecoveredRaft recovered{.hard_state = hard_state_, .snapshot = snapshot_, .entries = {}};
  recovered.entries.reserve(entries_.size());
  for (const auto& [index, entry] : entries_) recovered.entries.push_back(entry);
  return recovered;
}

}  // namespace quipu
