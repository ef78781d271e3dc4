// Goal: each batch is measured once in each stage, whatever groups syncs and high watermarks come
// in. Method: appends, syncs and commits by hand on one clock.
#include "broker/metrics/stage_times.h"

#include "gtest/gtest.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;

Instant At(int ms) { return Instant(milliseconds(ms)); }

class StageTimesTest : public ::testing::Test {
 protected:
  StageTimes stages;
  Histogram sync{kLatencyBounds};
  Histogram replication{kLatencyBounds};
};

TEST_F(StageTimesTest, OneSyncAndOneHighWatermarkCoverSeveralBatches) {
  stages.OnAppended(Offset(10), At(0));
  stages.OnAppended(Offset(20), At(2));
  stages.OnAppended(Offset(30), At(3));
  stages.OnDurable(Offset(20), At(5), sync);
  EXPECT_EQ(sync.count(), 2U);
  EXPECT_EQ(sync.sum(), Duration(milliseconds(5 + 3)).count());
  stages.OnCommitted(Offset(20), At(9), replication);
  EXPECT_EQ(replication.count(), 2U);
  EXPECT_EQ(replication.sum(), Duration(milliseconds(4 + 4)).count());
  EXPECT_FALSE(stages.empty());
  stages.OnDurable(Offset(30), At(10), sync);
  stages.OnCommitted(Offset(30), At(10), replication);
  EXPECT_TRUE(stages.empty());
  EXPECT_EQ(replication.count(), 3U);
}

TEST_F(StageTimesTest, WhatIsNotDurableIsNotCommitted) {
  stages.OnAppended(Offset(10), At(0));
  stages.OnCommitted(Offset(10), At(1), replication);
  EXPECT_EQ(replication.count(), 0U);
  EXPECT_FALSE(stages.empty());
}

TEST_F(StageTimesTest, NothingIsMeasuredAfterTheLeadershipEnded) {
  stages.OnAppended(Offset(10), At(0));
  stages.OnDurable(Offset(10), At(1), sync);
  stages.Clear();
  stages.OnCommitted(Offset(10), At(2), replication);
  EXPECT_EQ(replication.count(), 0U);
  stages.OnAppended(Offset(20), At(3));
  stages.OnDurable(Offset(20), At(4), sync);
  EXPECT_EQ(sync.count(), 2U);
}

TEST_F(StageTimesTest, BeyondTheLimitBatchesAreNotMeasured) {
  for (size_t i = 0; i <= StageTimes::kBatchesMax; ++i) {
    stages.OnAppended(Offset(static_cast<int64_t>(i) + 1), At(0));
  }
  stages.OnDurable(Offset(1'000'000), At(1), sync);
  EXPECT_EQ(sync.count(), StageTimes::kBatchesMax);
}

}  // namespace
}  // namespace quipu
