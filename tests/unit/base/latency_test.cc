// Goal: percentiles are never too small and hardly too large. Method: known values, and random ones
// beside their sorted list.
#include "base/measure/latency.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(LatencyHistogram, IsEmptyAtFirst) {
  const LatencySummary summary = LatencyHistogram().Summary();
  EXPECT_EQ(summary.count, 0U);
  EXPECT_EQ(summary.p50, Duration(0));
  EXPECT_EQ(summary.max, Duration(0));
}

TEST(LatencyHistogram, OneValueIsEveryPercentile) {
  LatencyHistogram histogram;
  histogram.Add(microseconds(12345));
  const LatencySummary summary = histogram.Summary();
  EXPECT_EQ(summary.count, 1U);
  EXPECT_EQ(summary.p50, microseconds(12345));
  EXPECT_EQ(summary.p999, microseconds(12345));
  EXPECT_EQ(summary.p9999, microseconds(12345));
  EXPECT_EQ(summary.max, microseconds(12345));
  histogram.Clear();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.Summary().max, Duration(0));
}

TEST(LatencyHistogram, TakesTheShortestAndTheLongest) {
  LatencyHistogram histogram;
  histogram.Add(milliseconds(-5));
  EXPECT_EQ(histogram.Summary().max, Duration(0));
  histogram.Add(std::chrono::hours(24 * 365));
  EXPECT_EQ(histogram.Summary().max, std::chrono::hours(24 * 365));
}

TEST(LatencyHistogram, PercentilesAreAboveTheTruthByLessThanTheyMay) {
  Rng rng(7);
  for (const int64_t longest : {50, 200, 5000, 1000000, 90000000}) {
    LatencyHistogram histogram;
    std::vector<int64_t> micros;
    for (int i = 0; i < 5000; ++i) {
      micros.push_back(static_cast<int64_t>(rng.Below(static_cast<uint64_t>(longest))));
      histogram.Add(microseconds(micros.back()));
    }
    std::sort(micros.begin(), micros.end());
    for (const double quantile : {0.0002, 0.5, 0.95, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(quantile * 5000)) - 1;
      const Duration found = histogram.Quantile(quantile);
      const Duration truth = microseconds(micros[rank]);
      EXPECT_GE(found, truth) << quantile << " of " << longest;
      EXPECT_LE(static_cast<double>(found.count()),
                static_cast<double>(truth.count()) * (1 + 1.0 / 64) + 1000)
          << quantile << " of " << longest;
    }
  }
}

}  // namespace
}  // namespace quipu
