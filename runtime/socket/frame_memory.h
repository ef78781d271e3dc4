// The memory that frames of all connections of a FrameServer share; for runtime/socket only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace quipu {

// First come, first served: nobody is let past one who waits, so that a large frame has its turn.
// Thread-safe.
class FrameMemory {
 public:
  explicit FrameMemory(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes `bytes` when nobody waits and they fit, or nothing else is taken. Else false: they are
  // taken later, and `granted` is then called once, on a thread that gives back.
  bool Take(size_t bytes, std::function<void()> granted) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.empty() && Fits(bytes)) {
      taken_ += bytes;
      return true;
    }
    waiting_.push_back({.bytes = bytes, .granted = std::move(granted)});
    ++paused_;
    return false;
  }
  void GiveBack(size_t bytes) {
    std::vector<std::function<void()>> granted;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      taken_ -= bytes;
      for (; !waiting_.empty() && Fits(waiting_.front().bytes); waiting_.pop_front()) {
        taken_ += waiting_.front().bytes;
        granted.push_back(std::move(waiting_.front().granted));
      }
    }
    for (const auto& tell : granted) tell();
  }
  [[nodiscard]] size_t taken() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return taken_;
  }
  // How many had to wait, since the start.
  [[nodiscard]] size_t paused() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return paused_;
  }

 private:
  struct Waiter {
    size_t bytes = 0;
    std::function<void()> granted;
  };
  [[nodiscard]] bool Fits(size_t bytes) const {
    return taken_ == 0 || bytes <= bytes_max_ - std::min(taken_, bytes_max_);
  }

  const size_t bytes_max_;
  mutable std::mutex mutex_;
  size_t taken_ = 0;
  size_t paused_ = 0;
  std::deque<Waiter> waiting_;
};

}  // namespace quipu
