// Counts of answers that carried an error.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "base/error_code.h"

namespace quipu {

// By call ("Log/Produce") and reason. Refusals are rare beside what is served, so one lock is
// enough. Its size is bounded by the number of calls and of error codes. Thread-safe.
class Refusals {
 public:
  using Counts = absl::btree_map<std::pair<std::string, ErrorCode>, uint64_t>;

  // kNone is no refusal.
  void Add(absl::string_view call, ErrorCode error) {
    if (error == ErrorCode::kNone) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    ++counts_[{std::string(call), error}];
  }
  // A copy.
  [[nodiscard]] Counts counts() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return counts_;
  }

 private:
  mutable std::mutex mutex_;
  Counts counts_;
};

}  // namespace quipu
