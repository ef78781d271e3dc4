// The memory that frames of all connections of a FrameServer share; for runtime/socket only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace quipu {

// A frame takes memory in steps, as its bytes come. First come, first served: nobody is let past
// one who waits, so that a large frame has its turn.
//
// Frames that are half there may hold all of it and each wait for more. Then, when nobody else is
// left who could give any back, the first of them is given all that its frame will ever need, over
// the limit: it never waits again, and the others' turn comes when it is answered or cut off. So at
// most one frame more than the limit is taken. Thread-safe.
class FrameMemory {
 public:
  // What a frame asks for: `step` bytes now, of `rest` that it may come to need, and it has `held`.
  struct Claim {
    size_t step = 0;
    size_t rest = 0;
    size_t held = 0;
  };
  struct Taken {
    size_t bytes = 0;     // 0: not yet
    uint64_t ticket = 0;  // for Cancel, if not yet
  };

  explicit FrameMemory(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes the claim's step when nobody waits and it fits. Else `granted` is called once with what
  // is taken later, step or rest, unless it is cancelled before: on a thread that gives back, or
  // this one.
  Taken Take(const Claim& claim, std::function<void(size_t)> granted) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (waiting_.empty()) {
      const size_t bytes = Granted(claim, claim.held);
      taken_ += bytes;
      if (bytes > 0) return {.bytes = bytes};
    }
    const uint64_t ticket = ++last_ticket_;
    waiting_.emplace(ticket, Waiter{.claim = claim, .granted = std::move(granted)});
    waiting_hold_ += claim.held;
    ++paused_;
    GrantAndUnlock(lock);
    return {.ticket = ticket};
  }
  // False: it has been granted.
  bool Cancel(uint64_t ticket) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto it = waiting_.find(ticket);
    if (it == waiting_.end()) return false;
    waiting_hold_ -= it->second.claim.held;
    waiting_.erase(it);
    GrantAndUnlock(lock);
    return true;
  }
  void GiveBack(size_t bytes) {
    std::unique_lock<std::mutex> lock(mutex_);
    taken_ -= bytes;
    GrantAndUnlock(lock);
  }
  [[nodiscard]] size_t taken() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return taken_;
  }
  // How often one had to wait, since the start.
  [[nodiscard]] size_t paused() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return paused_;
  }

 private:
  struct Waiter {
    Claim claim;
    std::function<void(size_t)> granted;
  };
  // What may be taken now, when those who wait, this one included, hold `waiting_hold`.
  [[nodiscard]] size_t Granted(const Claim& claim, size_t waiting_hold) const {
    if (claim.step <= bytes_max_ - std::min(taken_, bytes_max_)) return claim.step;
    return taken_ == waiting_hold ? claim.rest : 0;
  }
  void GrantAndUnlock(std::unique_lock<std::mutex>& lock) {
    std::vector<std::pair<std::function<void(size_t)>, size_t>> told;
    while (!waiting_.empty()) {
      Waiter& first = waiting_.begin()->second;
      const size_t bytes = Granted(first.claim, waiting_hold_);
      if (bytes == 0) break;
      taken_ += bytes;
      waiting_hold_ -= first.claim.held;
      told.emplace_back(std::move(first.granted), bytes);
      waiting_.erase(waiting_.begin());
    }
    lock.unlock();
    for (const auto& [granted, bytes] : told) granted(bytes);
  }

  const size_t bytes_max_;
  mutable std::mutex mutex_;
  size_t taken_ = 0;
  size_t waiting_hold_ = 0;  // of taken_, by those in waiting_
  size_t paused_ = 0;
  uint64_t last_ticket_ = 0;
  std::map<uint64_t, Waiter> waiting_;  // by ticket: in the order of asking
};

}  // namespace quipu
