#include "core/replication/leader_epoch_cache.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quipu {

LeaderEpochCache::LeaderEpochCache(std::vector<EpochEntry> entries) : entries_(std::move(entries)) {
  if (!entries_.empty()) CheckInvariants(entries_.back().start_offset);
}

bool LeaderEpochCache::AppendEpoch(LeaderEpoch epoch, Offset start_offset) {
  if (epoch == newest_epoch()) return false;
  const bool dropped = TruncateTo(start_offset);
  if (epoch == newest_epoch()) return dropped;
  QUIPU_INVARIANT("I30", epoch > newest_epoch());
  entries_.push_back({.epoch = epoch, .start_offset = start_offset});
  return true;
}

std::optional<LeaderEpochCache::EpochEnd> LeaderEpochCache::EndOffsetFor(LeaderEpoch epoch,
                                                                         Offset log_end) const {
  if (entries_.empty()) return std::nullopt;
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), epoch,
                       [](LeaderEpoch wanted, const EpochEntry& e) { return wanted < e.epoch; });
  if (after == entries_.begin()) return EpochEnd{epoch, after->start_offset};
  const Offset end = after == entries_.end() ? log_end : after->start_offset;
  return EpochEnd{std::prev(after)->epoch, end};
}

LeaderEpoch LeaderEpochCache::EpochBefore(Offset end) const {
  for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
    if (it->start_offset < end) return it->epoch;
  }
  return kNoLeaderEpoch;
}

bool LeaderEpochCache::TruncateTo(Offset end) {
  bool changed = false;
  while (!entries_.empty() && entries_.back().start_offset >= end) {
    entries_.pop_back();
    changed = true;
  }
  return changed;
}

bool LeaderEpochCache::TrimTo(Offset log_start) {
  // [1 @ 0] [2 @ 10] [5 @ 30], log start 20  ->  [2 @ 20] [5 @ 30]
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), log_start,
                       [](Offset wanted, const EpochEntry& e) { return wanted < e.start_offset; });
  if (after == entries_.begin()) return false;
  const auto holder = std::prev(after);
  if (holder == entries_.begin() && holder->start_offset == log_start) return false;
  holder->start_offset = log_start;
  entries_.erase(entries_.begin(), holder);
  return true;
}

void LeaderEpochCache::CheckInvariants(Offset log_end) const {
  for (size_t i = 0; i < entries_.size(); ++i) {
    QUIPU_INVARIANT("I30", entries_[i].start_offset <= log_end);
    if (i == 0) continue;
    QUIPU_INVARIANT("I30", entries_[i - 1].epoch < entries_[i].epoch);
    QUIPU_INVARIANT("I30", entries_[i - 1].start_offset < entries_[i].start_offset);
  }
}

}  // namespace quipu
