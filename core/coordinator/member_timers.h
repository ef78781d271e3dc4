// When each group member's time is up.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "base/time.h"

namespace quipu {

// Two clocks per member: one for its heartbeats, one for the partitions that it was told to give
// up. Soft state: never replicated. One owner; not thread-safe.
class MemberTimers {
 public:
  enum class Kind { kSession, kRevocation };
  // Group id and member id.
  using MemberKey = std::pair<std::string, std::string>;

  // Sets the member's clock of this kind to ring at `deadline`, whatever it was.
  void Set(const MemberKey& member, Kind kind, Instant deadline);
  void Clear(const MemberKey& member, Kind kind);
  // Forgets the member.
  void ClearAll(const MemberKey& member);
  void Reset();

  [[nodiscard]] bool IsSet(const MemberKey& member, Kind kind) const;
  // Whether the clock is set and rings at or before `now`.
  [[nodiscard]] bool IsDue(const MemberKey& member, Kind kind, Instant now) const;
  // The earliest deadline of all.
  [[nodiscard]] std::optional<Instant> NextDeadline() const;
  // Members with a clock at or before `now`, sorted, each once.
  [[nodiscard]] std::vector<MemberKey> Due(Instant now) const;

 private:
  using TimerKey = std::pair<MemberKey, Kind>;

  absl::btree_map<TimerKey, Instant> deadlines_;
  // The same by time.
  absl::btree_set<std::pair<Instant, TimerKey>> by_time_;
};

}  // namespace quipu
