// A disk for one replica of a test: what is on it survives a crash, what is under way does not.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "core/raft/raft_types.h"

namespace quipu {

class FakeDisk {
 public:
  void Submit(RaftPersist persist) { under_way_.push_back(std::move(persist)); }
  [[nodiscard]] const std::deque<RaftPersist>& under_way() const { return under_way_; }

  // The oldest write becomes durable. Its id.
  RaftWriteId CompleteOne() {
    RaftPersist persist = std::move(under_way_.front());
    under_way_.pop_front();
    Apply(persist.write);
    return persist.id;
  }
  // Power is lost: the first `kept` writes under way happen to be on disk, the others are not.
  void Crash(size_t kept) {
    for (size_t i = 0; i < kept && !under_way_.empty(); ++i) CompleteOne();
    under_way_.clear();
  }

  [[nodiscard]] RecoveredRaft Load() const {
    RecoveredRaft recovered{hard_state_, snapshot_, {}};
    for (const auto& [index, entry] : entries_) recovered.entries.push_back(entry);
    return recovered;
  }
  [[nodiscard]] const RaftHardState& hard_state() const { return hard_state_; }
  // Inclusive.
  [[nodiscard]] LogIndex last_index() const {
    if (!entries_.empty()) return entries_.rbegin()->first;
    return snapshot_ ? snapshot_->last_index : LogIndex(0);
  }
  [[nodiscard]] Term last_term() const {
    if (!entries_.empty()) return Term(entries_.rbegin()->second.term());
    return snapshot_ ? snapshot_->last_term : Term(0);
  }
  // Whether the entry (index, term) is on disk, by itself or inside the snapshot.
  [[nodiscard]] bool Holds(LogIndex index, Term term) const {
    if (snapshot_ && index <= snapshot_->last_index) return true;
    auto it = entries_.find(index);
    return it != entries_.end() && it->second.term() == term.value();
  }

 private:
  void Apply(const RaftWrite& write) {
    if (write.hard_state) {
      QUIPU_INVARIANT("I2", write.hard_state->term >= hard_state_.term);
      hard_state_ = *write.hard_state;
    }
    if (write.snapshot) snapshot_ = write.snapshot;
    if (write.truncate_from) {
      entries_.erase(entries_.lower_bound(*write.truncate_from), entries_.end());
    }
    if (write.compact_to) {
      entries_.erase(entries_.begin(), entries_.upper_bound(*write.compact_to));
    }
    for (const message::RaftEntry& entry : write.append) {
      QUIPU_CHECK(LogIndex(entry.index()) == last_index() + 1);
      entries_[LogIndex(entry.index())] = entry;
    }
  }

  std::deque<RaftPersist> under_way_;
  RaftHardState hard_state_;
  std::optional<RaftSnapshot> snapshot_;
  std::map<LogIndex, message::RaftEntry> entries_;
};

}  // namespace quipu
