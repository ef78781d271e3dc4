// Latencies counted finely enough for percentiles.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace quipu {

// What was measured, in a few numbers; all 0 when nothing was.
struct LatencySummary {
  uint64_t count = 0;
  // A percentile is not below the value that it stands for, and above it by less than 1.6 % and a
  // microsecond.
  Duration p50 = Duration(0);
  Duration p95 = Duration(0);
  Duration p99 = Duration(0);
  Duration p999 = Duration(0);
  Duration p9999 = Duration(0);
  Duration max = Duration(0);
};

// Counts of latencies in buckets of a microsecond, from 64 us on of a 64th of a power of two; what
// is longer than 12 days counts as 12 days. 17.5 KiB. A plain value with one owner; Add neither
// locks nor allocates.
class LatencyHistogram {
 public:
  // Below 0 (clocks that disagree) counts as 0.
  void Add(Duration latency);
  // Begins anew.
  void Clear() { *this = LatencyHistogram(); }

  [[nodiscard]] uint64_t count() const { return count_; }
  // The smallest bucket end that at least `quantile`, in (0, 1], of all are below, but not above
  // the largest; 0 without any.
  [[nodiscard]] Duration Quantile(double quantile) const;
  [[nodiscard]] LatencySummary Summary() const;

 private:
  static constexpr int kSubBits = 6;
  static constexpr int kBitsMax = 40;
  static constexpr size_t kSub = size_t{1} << kSubBits;

  static size_t BucketOf(uint64_t micros);
  static uint64_t EndOf(size_t bucket);  // microseconds, exclusive

  std::array<uint64_t, kSub*(kBitsMax - kSubBits + 1)> counts_{};
  uint64_t count_ = 0;
  Duration max_ = Duration(0);
};

// ---- implementation ----
inline size_t LatencyHistogram::BucketOf(uint64_t micros) {
  micros = std::min(micros, (uint64_t{1} << kBitsMax) - 1);
  if (micros < kSub) return static_cast<size_t>(micros);
  const int shift = static_cast<int>(std::bit_width(micros)) - 1 - kSubBits;
  // The leading bit says which power of two, the six behind it which part of that.
  return kSub * static_cast<size_t>(shift) + static_cast<size_t>(micros >> shift);
}

inline uint64_t LatencyHistogram::EndOf(size_t bucket) {
  if (bucket < 2 * kSub) return bucket + 1;
  const size_t shift = bucket / kSub - 1;
  return (bucket - kSub * shift + 1) << shift;
}

inline void LatencyHistogram::Add(Duration latency) {
  latency = std::max(latency, Duration(0));
  ++counts_[BucketOf(static_cast<uint64_t>(latency.count()) / 1000)];
  ++count_;
  max_ = std::max(max_, latency);
}

inline Duration LatencyHistogram::Quantile(double quantile) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (counts_[i] > 0 && seen >= wanted) {
      return std::min(max_, Duration(std::chrono::microseconds(EndOf(i))));
    }
  }
  return max_;
}

inline LatencySummary LatencyHistogram::Summary() const {
  return {.count = count_,
          .p50 = Quantile(0.5),
          .p95 = Quantile(0.95),
          .p99 = Quantile(0.99),
          .p999 = Quantile(0.999),
          .p9999 = Quantile(0.9999),
          .max = max_};
}

}  // namespace quipu
