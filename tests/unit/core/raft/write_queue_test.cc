// Goal: nothing is told before it is durable, and nothing overwritten is ever taken as durable.

#include "core/raft/write_queue.h"

#include <utility>

#include "gtest/gtest.h"

namespace quipu {
namespace {

message::RaftMessage MessageTo(int to) {
  message::RaftMessage message;
  message.set_to(to);
  return message;
}

// A write that takes the log to `last`.
RaftWriteId Write(WriteQueue& queue, uint64_t last) {
  queue.current().append.emplace_back();
  RaftEffects effects;
  queue.Flush(LogIndex(last), effects);
  EXPECT_EQ(effects.persists.size(), 1U);
  EXPECT_TRUE(effects.messages.empty());
  return effects.persists[0].id;
}

TEST(WriteQueueTest, AMessageLeavesAtOnceWhenNothingIsOnItsWay) {
  WriteQueue queue(LogIndex(0));
  queue.HoldMessage(MessageTo(2));
  RaftEffects effects;
  queue.Flush(LogIndex(0), effects);
  EXPECT_EQ(effects.messages.size(), 1U);
  EXPECT_TRUE(effects.persists.empty());
}

TEST(WriteQueueTest, AMessageWaitsForEveryWriteBeforeIt) {
  WriteQueue queue(LogIndex(0));
  RaftWriteId first = Write(queue, 1);
  RaftWriteId second = Write(queue, 2);
  queue.HoldMessage(MessageTo(2));  // an input that changes nothing itself
  RaftEffects effects;
  queue.Flush(LogIndex(2), effects);
  EXPECT_TRUE(effects.messages.empty());
  EXPECT_TRUE(queue.OnPersisted(first).messages.empty());
  EXPECT_EQ(queue.OnPersisted(second).messages.size(), 1U);
}

TEST(WriteQueueTest, OneCompletionMayCoverSeveralWrites) {
  WriteQueue queue(LogIndex(0));
  Write(queue, 1);
  RaftWriteId second = Write(queue, 2);
  queue.OnPersisted(second);
  EXPECT_EQ(queue.durable_index(), LogIndex(2));
  EXPECT_TRUE(queue.idle());
}

TEST(WriteQueueTest, ARepeatedOrUnknownCompletionChangesNothing) {
  WriteQueue queue(LogIndex(0));
  RaftWriteId first = Write(queue, 1);
  queue.OnPersisted(first);
  RaftWriteId second = Write(queue, 2);
  queue.OnPersisted(first);
  queue.OnPersisted(second + 1);
  EXPECT_EQ(queue.durable_index(), LogIndex(1));
  EXPECT_FALSE(queue.idle());
}

TEST(WriteQueueTest, TheLateCompletionOfAnOverwrittenEntryConfirmsNothingOfTheNewOne) {
  WriteQueue queue(LogIndex(1));
  RaftWriteId old_entries = Write(queue, 3);  // entries 2 and 3
  queue.OnTruncated(LogIndex(2));             // 3 is cut and written anew
  RaftWriteId new_entry = Write(queue, 3);
  queue.OnPersisted(old_entries);
  EXPECT_EQ(queue.durable_index(), LogIndex(2));
  queue.OnPersisted(new_entry);
  EXPECT_EQ(queue.durable_index(), LogIndex(3));
}

TEST(WriteQueueTest, ATruncationTakesBackWhatWasDurable) {
  WriteQueue queue(LogIndex(5));
  queue.OnTruncated(LogIndex(3));
  EXPECT_EQ(queue.durable_index(), LogIndex(3));
}

TEST(WriteQueueTest, TheOwnVoteCountsWhenItsWriteIsDurable) {
  WriteQueue queue(LogIndex(0));
  queue.current().hard_state = RaftHardState{Term(4), ControllerId(1), DirectoryId(1, 1)};
  queue.HoldOwnVote(Term(4));
  RaftEffects effects;
  queue.Flush(LogIndex(0), effects);
  EXPECT_EQ(queue.OnPersisted(effects.persists[0].id).own_vote, Term(4));
}

}  // namespace
}  // namespace quipu
