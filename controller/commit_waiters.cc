#include "controller/commit_waiters.h"

#include <algorithm>
#include <utility>

namespace quipu {

void CommitWaiters::Park(LogIndex index, std::function<void()> answer) {
  if (index <= committed_) {
    answer();
    return;
  }
  waiters_.emplace(index, std::move(answer));
}

void CommitWaiters::OnCommitted(LogIndex index) {
  committed_ = std::max(committed_, index);
  while (!waiters_.empty() && waiters_.begin()->first <= committed_) {
    std::function<void()> answer = std::move(waiters_.begin()->second);
    waiters_.erase(waiters_.begin());
    answer();
  }
}

}  // namespace quipu
