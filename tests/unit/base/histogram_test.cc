// Goal: each value is in the bucket of the smallest bound that is not below it, and sums are exact.
// Method: values at, below and above bounds.
#include "base/measure/histogram.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

using ::testing::ElementsAre;

TEST(Histogram, ABoundBelongsToItsBucket) {
  Histogram histogram(kCountBounds);
  for (const int64_t value : {1, 2, 3, 4, 256, 257, 100000}) histogram.Observe(value);
  EXPECT_THAT(histogram.counts(), ElementsAre(1, 1, 2, 0, 0, 0, 0, 0, 1, 2));
  EXPECT_EQ(histogram.count(), 7U);
  EXPECT_EQ(histogram.sum(), 100523);
}

TEST(Histogram, AddJoinsTwo) {
  Histogram a(kLatencyBounds);
  Histogram b(kLatencyBounds);
  a.Observe(std::chrono::milliseconds(1));
  b.Observe(std::chrono::milliseconds(2));
  b.Observe(std::chrono::seconds(60));
  a.Add(b);
  EXPECT_EQ(a.count(), 3U);
  EXPECT_EQ(a.sum(), 60'003'000'000);
  EXPECT_EQ(a.counts()[3], 1U);  // 1 ms
  EXPECT_EQ(a.counts()[4], 1U);  // 2.5 ms
  EXPECT_EQ(a.counts().back(), 1U);
}

TEST(Histogram, BoundsAscend) {
  EXPECT_TRUE(std::is_sorted(kLatencyBounds.begin(), kLatencyBounds.end()));
  EXPECT_TRUE(std::is_sorted(kByteBounds.begin(), kByteBounds.end()));
  EXPECT_TRUE(std::is_sorted(kCountBounds.begin(), kCountBounds.end()));
}

}  // namespace
}  // namespace quipu
