// Answers that wait until what they saw is committed.
#pragma once

#include <cstddef>
#include <functional>
#include <map>

#include "base/ids.h"

namespace quipu {

// Every answer of the active controller, reads included, is parked here until the log end that it
// saw is committed: nothing is told that a new leader might not know (C20). On losing leadership
// they are all dropped: their outcome is unknown, and the streams are closed to say so.
// Controller's executor only.
class CommitWaiters {
 public:
  explicit CommitWaiters(size_t waiters_max) : waiters_max_(waiters_max) {}

  [[nodiscard]] bool full() const { return waiters_.size() >= waiters_max_; }
  // Runs `answer` when `index` is committed; at once when it is.
  void Park(LogIndex index, std::function<void()> answer);
  // Everything up to `index` is committed and applied.
  void OnCommitted(LogIndex index);
  void Clear() { waiters_.clear(); }
  [[nodiscard]] size_t size() const { return waiters_.size(); }

 private:
  size_t waiters_max_;
  LogIndex committed_{0};
  std::multimap<LogIndex, std::function<void()>> waiters_;  // equal indexes in order of Park
};

}  // namespace quipu
