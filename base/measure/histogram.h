// Counts of values by size, as Prometheus wants them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace quipu {

// Upper bounds (inclusive) of buckets, ascending. What is above the last one has a bucket of its
// own. Durations in nanoseconds.
inline constexpr std::array<int64_t, 16> kLatencyBounds = {
    100'000,       250'000,       500'000,       1'000'000,     2'500'000,   5'000'000,
    10'000'000,    25'000'000,    50'000'000,    100'000'000,   250'000'000, 500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};
inline constexpr std::array<int64_t, 9> kByteBounds = {
    1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 32 << 20};
inline constexpr std::array<int64_t, 9> kCountBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256};

// A plain value with one owner; copies are snapshots. Neither locks nor allocates after it is made.
class Histogram {
 public:
  // `bounds` is not empty and must outlive the histogram: one of the constants above.
  explicit Histogram(std::span<const int64_t> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void Observe(int64_t value) {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    ++counts_[static_cast<size_t>(at)];
    ++count_;
    sum_ += value;
  }
  void Observe(Duration value) { Observe(value.count()); }
  // Adds what `other`, of the same bounds, has counted.
  void Add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
  }

  [[nodiscard]] std::span<const int64_t> bounds() const { return bounds_; }
  // One for each bound, and one for what is above; not cumulative.
  [[nodiscard]] const std::vector<uint64_t>& counts() const { return counts_; }
  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] int64_t sum() const { return sum_; }

 private:
  std::span<const int64_t> bounds_;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  int64_t sum_ = 0;
};

}  // namespace quipu
