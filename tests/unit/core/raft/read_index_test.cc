// Goal: a read is answered by a round that began after it, and by no other.

#include "core/raft/read_index.h"

#include "gtest/gtest.h"

namespace quipu {
namespace {

TEST(ReadIndexQueueTest, AReadIsAnsweredWithTheCommitIndexOfItsRound) {
  ReadIndexQueue queue;
  queue.Add(7);
  ASSERT_TRUE(queue.NeedsRound());
  queue.StartRound(LogIndex(12));
  RaftEffects effects;
  queue.OnConfirmed(queue.round(), effects);
  ASSERT_EQ(effects.reads.size(), 1U);
  EXPECT_EQ(effects.reads[0].token, 7U);
  EXPECT_EQ(effects.reads[0].index, LogIndex(12));
}

TEST(ReadIndexQueueTest, ARoundThatBeganBeforeTheReadDoesNotAnswerIt) {
  ReadIndexQueue queue;
  queue.Add(1);
  queue.StartRound(LogIndex(5));
  queue.Add(2);
  RaftEffects effects;
  queue.OnConfirmed(queue.round(), effects);
  EXPECT_EQ(effects.reads.size(), 1U);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_TRUE(queue.NeedsRound());
}

TEST(ReadIndexQueueTest, AnAnswerToAnOldRoundAnswersNothingNew) {
  ReadIndexQueue queue;
  queue.Add(1);
  queue.StartRound(LogIndex(5));
  RaftEffects effects;
  queue.OnConfirmed(0, effects);
  EXPECT_TRUE(effects.reads.empty());
  EXPECT_FALSE(queue.RoundIsOver());
}

TEST(ReadIndexQueueTest, ALaterRoundAnswersEarlierReadsToo) {
  ReadIndexQueue queue;
  queue.Add(1);
  queue.StartRound(LogIndex(5));
  queue.Add(2);
  queue.StartRound(LogIndex(6));
  RaftEffects effects;
  queue.OnConfirmed(2, effects);
  ASSERT_EQ(effects.reads.size(), 2U);
  EXPECT_EQ(effects.reads[0].index, LogIndex(5));
  EXPECT_EQ(effects.reads[1].index, LogIndex(6));
}

TEST(ReadIndexQueueTest, TheEndOfLeadershipFailsEveryRead) {
  ReadIndexQueue queue;
  queue.Add(1);
  queue.StartRound(LogIndex(5));
  queue.Add(2);
  RaftEffects effects;
  queue.FailAll(effects);
  ASSERT_EQ(effects.reads.size(), 2U);
  EXPECT_EQ(effects.reads[0].error, ErrorCode::kNotController);
  EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace quipu
