// The memory that frames of all connections of a FrameServer share; for runtime/socket only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace quipu {

// Thread-safe.
class FrameMemory {
 public:
  explicit FrameMemory(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes `bytes`, if they fit or nothing else is taken. Else `retry` is called once, when some
  // were given back, on the thread that gave them back.
  bool Take(size_t bytes, std::function<void()> retry) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (taken_ == 0 || bytes <= bytes_max_ - std::min(taken_, bytes_max_)) {
      taken_ += bytes;
      return true;
    }
    waiting_.push_back(std::move(retry));
    ++paused_;
    return false;
  }
  void GiveBack(size_t bytes) {
    std::vector<std::function<void()>> waiting;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      taken_ -= bytes;
      waiting.swap(waiting_);
    }
    for (const auto& retry : waiting) retry();
  }
  [[nodiscard]] size_t taken() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return taken_;
  }
  [[nodiscard]] size_t paused() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return paused_;
  }

 private:
  const size_t bytes_max_;
  mutable std::mutex mutex_;
  size_t taken_ = 0;
  size_t paused_ = 0;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace quipu
