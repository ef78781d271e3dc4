// Goal: lag in seconds follows the log end's history, states follow the window, memory is bounded.
// Method: looks by hand, one a second.
#include "broker/metrics/lag_tracker.h"

#include "gtest/gtest.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LagTrackerTest : public ::testing::Test {
 protected:
  void Look(int64_t committed, int64_t end, int64_t commit_time) {
    now += seconds(1);
    tracker.Look(now, {{.group = "g",
                        .partition = partition,
                        .committed = Offset(committed),
                        .committed_at = TimestampMs(commit_time),
                        .end = Offset(end)}});
  }
  [[nodiscard]] LagState State() const { return tracker.State("g", partition); }
  [[nodiscard]] Duration Lag(int64_t committed, int64_t end) const {
    return tracker.Lag(now, partition, Offset(committed), Offset(end));
  }

  LagTracker tracker;
  Instant now{};
  TopicPartition partition{.topic_id = Uuid(), .partition = PartitionIndex(0)};
};

TEST_F(LagTrackerTest, TheLagIsTheAgeOfTheFirstRecordNotConsumed) {
  for (int i = 1; i <= 5; ++i) Look(0, 100 * i, 0);  // 100 records a second; now: 500
  EXPECT_EQ(Lag(500, 500), Duration(0));
  EXPECT_EQ(Lag(400, 500), seconds(1));
  EXPECT_EQ(Lag(350, 500), milliseconds(1500));
  EXPECT_EQ(Lag(200, 500), seconds(3));
  // Passed before the first look: at least since then.
  EXPECT_EQ(Lag(10, 500), seconds(4));
}

TEST_F(LagTrackerTest, APauseOfTheProducerCounts) {
  Look(0, 100, 0);
  for (int i = 0; i < 60; ++i) Look(0, 200, 0);
  Look(0, 201, 0);
  // Offset 199 came in the second of the second look, 200 in the last one.
  EXPECT_GT(Lag(199, 201), seconds(59));
  EXPECT_LE(Lag(200, 201), seconds(1));
}

TEST_F(LagTrackerTest, WhatCameAfterTheLastLookIsYoung) {
  Look(100, 100, 0);
  now += seconds(1);
  EXPECT_EQ(Lag(100, 150), milliseconds(500));
}

TEST_F(LagTrackerTest, ThinningKeepsOldTimesNearlyRight) {
  for (int i = 1; i <= 1000; ++i) Look(0, 100 * i, 0);
  EXPECT_EQ(Lag(99900, 100000), seconds(1));
  const double old = std::chrono::duration<double>(Lag(10000, 100000)).count();
  EXPECT_NEAR(old, 900, 30);
}

TEST_F(LagTrackerTest, AGroupThatKeepsUpIsOk) {
  for (int i = 0; i < 20; ++i) Look(100 * i, 100 * i + 10, i);
  EXPECT_EQ(State(), LagState::kOk);
}

TEST_F(LagTrackerTest, AnyLookWithoutLagIsOk) {
  for (int i = 0; i < 20; ++i) Look(i == 15 ? 100 : 50, 100, 7);
  EXPECT_EQ(State(), LagState::kOk);
}

TEST_F(LagTrackerTest, AGrowingLagOfACommittingGroupIsAWarning) {
  for (int i = 0; i < 10; ++i) Look(10 * i, 100 * i + 50, i);
  EXPECT_EQ(State(), LagState::kWarn);
  Look(990, 1000, 11);  // it catches up
  EXPECT_EQ(State(), LagState::kOk);
}

TEST_F(LagTrackerTest, TheSameOffsetAgainAndAgainIsStalled) {
  for (int i = 0; i < 10; ++i) Look(50, 100, i);
  EXPECT_EQ(State(), LagState::kStalled);
}

TEST_F(LagTrackerTest, NoCommitsWhileRecordsWaitIsStopped) {
  for (int i = 0; i < 9; ++i) Look(50, 100 + i, 7);
  EXPECT_EQ(State(), LagState::kOk) << "not enough looks to judge";
  Look(50, 110, 7);
  EXPECT_EQ(State(), LagState::kStopped);
}

TEST_F(LagTrackerTest, WhatIsNotSeenIsForgotten) {
  for (int i = 0; i < 10; ++i) Look(50, 100, 7);
  tracker.Look(now, {});
  EXPECT_EQ(State(), LagState::kOk);
  EXPECT_EQ(Lag(50, 100), Duration(0));
}

TEST_F(LagTrackerTest, ALogThatWasCutBeginsAnew) {
  for (int i = 1; i <= 5; ++i) Look(0, 100 * i, 0);
  Look(0, 50, 0);
  EXPECT_EQ(Lag(40, 50), Duration(0));
}

}  // namespace
}  // namespace quipu
