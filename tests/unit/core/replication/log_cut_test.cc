// Goal: logs that were cut, trimmed or left behind come together again, and nothing else is cut.
// Method: as replication_scenario_test. Each test is an interleaving that a random run once found.
#include <gtest/gtest.h>

#include "tests/unit/core/replication/scenario_fixture.h"

namespace quipu {
namespace {

using LogCutTest = ReplicationScenarioTest;

TEST_F(LogCutTest, AFollowerBehindTheLogStartBeginsAnewThere) {
  Begin();
  c_.Crash(3);
  Fence(3);
  c_.Settle();
  c_.Produce(1, {.count = 5, .value = "b"});
  c_.Produce(1, {.value = "c"});
  c_.Settle();
  c_.DeleteRecords(1, 3);  // inside b
  c_.Settle();
  c_.Restart(3);
  Register(3);
  c_.Settle();
  EXPECT_EQ(c_.core(3).log_start_offset(), Offset{3});
  EXPECT_EQ(c_.Log(3), "b,c");
  EXPECT_EQ(c_.core(3).epochs(), c_.core(1).epochs());
  EXPECT_EQ(c_.image.isr.size(), 3U);
}

TEST_F(LogCutTest, ADivergenceBelowTheLeadersLogStartIsFound) {
  // 1 holds a private record where the others hold a committed one, and that is trimmed away with
  // its epoch before 1 returns: nothing is left that could be compared.
  Begin();
  AppendAlone(1, "private");
  c_.Crash(1);
  Fence(1);
  c_.Elect(2);
  c_.Settle();
  c_.Produce(2, {.value = "committed"});
  c_.Settle();
  c_.Elect(3);
  c_.Settle();
  c_.DeleteRecords(3, -1);
  c_.Settle();
  ASSERT_EQ(c_.core(3).log_start_offset(), Offset{2});
  c_.Restart(1);
  Register(1);
  c_.TellImage(1);
  c_.TellImage(3);
  c_.Sync(1);
  c_.Deliver(1);
  EXPECT_EQ(c_.core(1).log_start_offset(), Offset{2});
  c_.Settle();
  c_.Produce(3, {.value = "c"});
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "c");
}

TEST_F(LogCutTest, AMatchedFollowerReturnsAfterItsLastEpochWasTrimmedAway) {
  Begin();
  c_.Elect(1);
  c_.Settle();
  const auto token = c_.DeleteRecords(1, -1);
  c_.BreakStream(3);  // the new log start is lost on its way
  ASSERT_EQ(c_.core(3).log_start_offset(), Offset{0});
  c_.Settle();
  EXPECT_EQ(c_.core(3).log_start_offset(), Offset{1});
  EXPECT_EQ(c_.delete_replies[token].error, ErrorCode::kNone);
  c_.Produce(1, {.value = "b"});
  c_.Settle();
  EXPECT_EQ(c_.Log(3), "b");
}

TEST_F(LogCutTest, ALateSyncOfWhatWasCutOffIsHarmless) {
  Begin();
  for (int i = 0; i < 3; ++i) c_.Produce(1, {.value = "old"});
  c_.Elect(2);
  c_.TellImages();
  c_.Sync(2);
  c_.DeliverUpdate(1);
  c_.DeliverPush(1);  // divergence: the cut is queued behind three appends that are not synced
  ASSERT_EQ(c_.End(1), 1);
  for (int i = 0; i < 3; ++i) c_.SyncOne(1);
  EXPECT_EQ(c_.core(1).durable_end_offset(), Offset{1});
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "a");
}

TEST_F(LogCutTest, AnImageThatComesDuringACutTakesEffectAfterIt) {
  Begin();
  AppendAlone(1, "old");
  c_.Elect(2);
  c_.TellImages();
  c_.Sync(1);
  c_.Sync(2);
  c_.DeliverUpdate(1);
  c_.DeliverPush(1);
  c_.Elect(1);
  c_.TellImage(1);
  EXPECT_EQ(c_.core(1).role(), PartitionRole::kFollower);
  c_.Settle();
  EXPECT_EQ(c_.core(1).role(), PartitionRole::kLeader);
  EXPECT_EQ(c_.Log(1), "a");
}

TEST_F(LogCutTest, AMissingBatchIsAskedForAgain) {
  Begin();
  c_.Produce(1, {.value = "b"});
  c_.node(2).pushes.clear();  // lost
  c_.Produce(1, {.value = "c"});
  c_.Settle();
  EXPECT_EQ(c_.Log(2), "a,b,c");
}

}  // namespace
}  // namespace quipu
