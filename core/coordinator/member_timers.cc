#include "core/coordinator/member_timers.h"

#include <algorithm>

#include "base/check.h"

namespace quipu {

void MemberTimers::Set(const MemberKey& member, Kind kind, Instant deadline) {
  Clear(member, kind);
  const TimerKey key(member, kind);
  deadlines_.emplace(key, deadline);
  by_time_.emplace(deadline, key);
  QUIPU_CHECK(deadlines_.size() == by_time_.size());
}

void MemberTimers::Clear(const MemberKey& member, Kind kind) {
  const auto it = deadlines_.find(TimerKey(member, kind));
  if (it == deadlines_.end()) return;
  by_time_.erase({it->second, it->first});
  deadlines_.erase(it);
}

void MemberTimers::ClearAll(const MemberKey& member) {
  Clear(member, Kind::kSession);
  Clear(member, Kind::kRevocation);
}

void MemberTimers::Reset() {
  deadlines_.clear();
  by_time_.clear();
}

bool MemberTimers::IsSet(const MemberKey& member, Kind kind) const {
  return deadlines_.contains(TimerKey(member, kind));
}

bool MemberTimers::IsDue(const MemberKey& member, Kind kind, Instant now) const {
  const auto it = deadlines_.find(TimerKey(member, kind));
  return it != deadlines_.end() && it->second <= now;
}

std::optional<Instant> MemberTimers::NextDeadline() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->first;
}

std::vector<MemberTimers::MemberKey> MemberTimers::Due(Instant now) const {
  std::vector<MemberKey> due;
  for (const auto& [deadline, key] : by_time_) {
    if (deadline > now) break;
    due.push_back(key.first);
  }
  std::sort(due.begin(), due.end());
  due.erase(std::unique(due.begin(), due.end()), due.end());
  return due;
}

}  // namespace quipu
