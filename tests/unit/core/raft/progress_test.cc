// Goal: a leader sends no more than its window, finds where logs agree, and is not fooled by old
// answers.

#include "core/raft/progress.h"

#include "gtest/gtest.h"

namespace quipu {
namespace {

RaftOptions Window(size_t appends, size_t bytes) {
  RaftOptions options;
  options.in_flight_appends_max = appends;
  options.in_flight_bytes_max = bytes;
  return options;
}

Progress Replicating(uint64_t match) {
  Progress progress(LogIndex(match + 1));
  progress.OnSent(LogIndex(match), 0);
  progress.OnAccepted(LogIndex(match));
  return progress;
}

TEST(ProgressTest, AProbeIsSentOnceUntilItIsAnswered) {
  Progress progress(LogIndex(10));
  RaftOptions options = Window(64, 1000);
  ASSERT_TRUE(progress.MaySend(options));
  progress.OnSent(LogIndex(12), 10);
  EXPECT_FALSE(progress.MaySend(options));
  EXPECT_EQ(progress.next(), LogIndex(10));
  progress.OnAlive();
  EXPECT_TRUE(progress.MaySend(options)) << "a heartbeat was answered, so the probe is lost";
}

TEST(ProgressTest, AnAcceptedProbeOpensTheWindow) {
  Progress progress = Replicating(9);
  EXPECT_EQ(progress.state(), Progress::State::kReplicate);
  EXPECT_EQ(progress.next(), LogIndex(10));
}

TEST(ProgressTest, TheWindowIsBoundedInNumber) {
  Progress progress = Replicating(0);
  RaftOptions options = Window(2, 1000);
  progress.OnSent(LogIndex(1), 1);
  ASSERT_TRUE(progress.MaySend(options));
  progress.OnSent(LogIndex(2), 1);
  EXPECT_FALSE(progress.MaySend(options));
  progress.OnAccepted(LogIndex(1));
  EXPECT_TRUE(progress.MaySend(options));
}

TEST(ProgressTest, TheWindowIsBoundedInBytes) {
  Progress progress = Replicating(0);
  RaftOptions options = Window(64, 100);
  progress.OnSent(LogIndex(1), 100);
  EXPECT_FALSE(progress.MaySend(options));
  progress.OnAccepted(LogIndex(1));
  EXPECT_TRUE(progress.MaySend(options));
}

TEST(ProgressTest, ARefusedProbeGoesBackToWhereTheLogsMayAgree) {
  Progress progress(LogIndex(10));
  progress.OnSent(LogIndex(10), 1);
  ASSERT_TRUE(progress.OnRefused(LogIndex(9), LogIndex(4)));
  EXPECT_EQ(progress.next(), LogIndex(5));
}

TEST(ProgressTest, ARefusalThatWasOvertakenIsIgnored) {
  Progress probing(LogIndex(10));
  EXPECT_FALSE(probing.OnRefused(LogIndex(3), LogIndex(2)));
  Progress replicating = Replicating(9);
  EXPECT_FALSE(replicating.OnRefused(LogIndex(9), LogIndex(2)));
  EXPECT_EQ(replicating.state(), Progress::State::kReplicate);
}

TEST(ProgressTest, ARefusalInsideTheWindowProbesBehindTheLastMatch) {
  Progress progress = Replicating(5);
  progress.OnSent(LogIndex(6), 1);
  progress.OnSent(LogIndex(7), 1);
  ASSERT_TRUE(progress.OnRefused(LogIndex(6), LogIndex(5)));
  EXPECT_EQ(progress.state(), Progress::State::kProbe);
  EXPECT_EQ(progress.next(), LogIndex(6));
  EXPECT_EQ(progress.in_flight(), 0U);
}

TEST(ProgressTest, AnOldAcceptanceNeverTakesAnythingBack) {
  Progress progress = Replicating(9);
  progress.OnAccepted(LogIndex(4));
  EXPECT_EQ(progress.match(), LogIndex(9));
  EXPECT_EQ(progress.next(), LogIndex(10));
}

TEST(ProgressTest, NothingIsSentBesidesASnapshot) {
  Progress progress = Replicating(3);
  progress.BecomeSnapshot();
  EXPECT_FALSE(progress.MaySend(Window(64, 1000)));
  progress.OnSnapshotInstalled(LogIndex(20));
  EXPECT_EQ(progress.state(), Progress::State::kProbe);
  EXPECT_EQ(progress.next(), LogIndex(21));
}

}  // namespace
}  // namespace quipu
