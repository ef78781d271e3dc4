// How much the groups of one answer may be together.
#pragma once

#include <atomic>
#include <cstddef>

#include "base/error_code.h"

namespace quipu::kafka {

// Of one answer. Thread-safe.
class GroupBytes {
 public:
  static constexpr size_t kMax = size_t{16} << 20U;
  // Of the groups that there is no room for: clients ask for those again, and for no others. The
  // answer to one group alone always has room, so that each time some of them come.
  static constexpr ErrorCode kRefusal = ErrorCode::kCoordinatorLoadInProgress;

  // Whether a group of `bytes` has room; after the first one that has none the answer is full.
  bool Take(size_t bytes) {
    const size_t before = taken_.fetch_add(bytes, std::memory_order_relaxed);
    return before == 0 || before + bytes <= kMax;
  }
  [[nodiscard]] bool full() const { return taken_.load(std::memory_order_relaxed) > kMax; }

 private:
  std::atomic<size_t> taken_{0};
};

}  // namespace quipu::kafka
