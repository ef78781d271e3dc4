// Goal: the named scenarios P01-P08 as far as the cores of one partition decide them.
// Method: as replication_scenario_test.
#include <gtest/gtest.h>

#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {
namespace {

class IdempotenceScenarioTest : public ::testing::Test {
 protected:
  explicit IdempotenceScenarioTest(PartitionLimits limits = {}) : c_({.limits = limits}) {
    c_.Elect(1);
    c_.Settle();
  }
  static BatchSpec Of(int32_t sequence) {
    return {.producer_id = 5, .sequence = sequence, .value = "s" + std::to_string(sequence)};
  }
  ErrorCode ErrorOf(ReplyToken token) { return c_.Reply(token)->error; }
  ReplicaCluster c_;
};

TEST_F(IdempotenceScenarioTest, P01ARetryIsAnsweredWithTheFirstOffset) {
  c_.Produce(1, Of(0));
  c_.Produce(1, Of(1));
  c_.Settle();
  const auto retry = c_.Produce(1, Of(0));
  EXPECT_EQ(ErrorOf(retry), ErrorCode::kNone);
  EXPECT_EQ(c_.Reply(retry)->base_offset, Offset{0});
  EXPECT_EQ(c_.End(1), 2);
}

TEST_F(IdempotenceScenarioTest, P01ARetryWaitsUntilTheFirstIsCommitted) {
  const auto first = c_.Produce(1, Of(0));
  c_.Produce(1, Of(1));
  const auto retry = c_.Produce(1, Of(0));
  EXPECT_FALSE(c_.Reply(retry));
  c_.Settle();
  EXPECT_EQ(c_.Reply(first)->base_offset, Offset{0});
  EXPECT_EQ(c_.Reply(retry)->base_offset, Offset{0});
  EXPECT_EQ(c_.Log(1), "s0,s1");
}

// Which no producer with a window of what is remembered sends.
TEST_F(IdempotenceScenarioTest, P01ARetryOfWhatIsNoLongerRememberedWaitsToo) {
  for (int i = 0; i < 20; ++i) c_.Produce(1, Of(i));
  const auto retry = c_.Produce(1, Of(0));
  EXPECT_FALSE(c_.Reply(retry));
  c_.Settle();
  EXPECT_EQ(ErrorOf(retry), ErrorCode::kDuplicateSequence);
  EXPECT_EQ(c_.End(1), 20);
}

TEST_F(IdempotenceScenarioTest, P02ARetryAfterFailoverIsAnsweredWithTheFirstOffset) {
  c_.Produce(1, Of(0));
  c_.Produce(1, Of(1));
  c_.Settle();
  c_.Elect(2);
  c_.Settle();
  const auto retry = c_.Produce(2, Of(1));
  EXPECT_EQ(c_.Reply(retry)->base_offset, Offset{1});
  c_.Produce(2, Of(2));
  c_.Settle();
  EXPECT_EQ(c_.Log(3), "s0,s1,s2");
}

TEST_F(IdempotenceScenarioTest, P02ARestartedReplicaStillKnows) {
  for (int i = 0; i < 20; ++i) c_.Produce(1, Of(i));
  c_.Settle();
  const auto before = c_.core(2).producers();
  c_.Crash(2);
  c_.Restart(2);
  ASSERT_EQ(c_.core(2).producers().size(), 1U);
  EXPECT_EQ(c_.core(2).producers()[0].batches, before[0].batches);
}

TEST_F(IdempotenceScenarioTest, ATruncatedBatchIsForgottenAndTakenAgain) {
  c_.Produce(1, Of(0));
  c_.Settle();
  c_.Produce(1, Of(1));
  c_.Sync(1);
  c_.Elect(2);
  c_.Settle();
  c_.Elect(1);
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "s0");
  const auto again = c_.Produce(1, Of(1));
  c_.Settle();
  EXPECT_EQ(ErrorOf(again), ErrorCode::kNone);
  EXPECT_EQ(c_.Log(2), "s0,s1");
}

TEST_F(IdempotenceScenarioTest, P08WithoutStateOnlySequenceZeroIsTaken) {
  EXPECT_EQ(ErrorOf(c_.Produce(1, Of(1))), ErrorCode::kUnknownProducerId);
  c_.Produce(1, Of(0));
  c_.Produce(1, Of(1));
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "s0,s1");
}

TEST_F(IdempotenceScenarioTest, P10ABatchThatOvertakesALostOneIsRefused) {
  c_.Produce(1, Of(0));
  EXPECT_EQ(ErrorOf(c_.Produce(1, Of(2))), ErrorCode::kOutOfOrderSequence);
  c_.Produce(1, Of(1));
  c_.Produce(1, Of(2));
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "s0,s1,s2");
}

TEST_F(IdempotenceScenarioTest, P03TrimmedProducersAreInTheSnapshot) {
  c_.Produce(1, Of(0));
  c_.Settle();
  c_.DeleteRecords(1, -1);
  c_.Settle();
  ASSERT_EQ(c_.Log(2), "");
  for (int id : {1, 2, 3}) {
    c_.Crash(id);
    c_.Restart(id);
    ASSERT_EQ(c_.core(id).producers().size(), 1U) << id;
  }
  c_.Elect(2);
  c_.Settle();
  const auto retry = c_.Produce(2, Of(0));
  EXPECT_EQ(c_.Reply(retry)->base_offset, Offset{0});
}

TEST_F(IdempotenceScenarioTest, P03AFollowerThatBeginsAnewLearnsOfTrimmedProducers) {
  c_.Crash(3);
  c_.image.replicas[2].fenced = true;
  c_.SetIsr({1, 2});
  for (int i = 0; i < 3; ++i) c_.Produce(1, Of(i));
  c_.Settle();
  c_.DeleteRecords(1, -1);
  c_.Settle();
  c_.Restart(3);
  c_.image.replicas[2].fenced = false;
  c_.image.replicas[2].epoch = c_.node(3).epoch;
  c_.Commit();
  c_.Settle();
  c_.Crash(3);
  c_.Restart(3);
  c_.image.replicas[2].epoch = c_.node(3).epoch;
  c_.Elect(3);
  c_.Settle();
  ASSERT_EQ(c_.core(3).log_start_offset(), Offset{3});
  EXPECT_EQ(c_.Reply(c_.Produce(3, Of(1)))->base_offset, Offset{1});
  c_.Produce(3, Of(3));
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "s3");
}

class SnapshotTest : public IdempotenceScenarioTest {
 protected:
  SnapshotTest() : IdempotenceScenarioTest({.producer_snapshot_bytes = 150}) {}
};

TEST_F(SnapshotTest, P03SnapshotAndTheBatchesBehindItGiveTheWholeState) {
  for (int i = 0; i < 20; ++i) {
    c_.Produce(1, Of(i));
    if (i % 3 == 0) c_.Settle();
    c_.Sync(1);
    ASSERT_EQ(c_.node(1).disk.Recover().producers[0].batches, c_.core(1).producers()[0].batches);
  }
  EXPECT_EQ(c_.node(1).disk.snapshots(), FakeDisk::kSnapshotsKept);
}

class ExpiryTest : public IdempotenceScenarioTest {
 protected:
  ExpiryTest() : IdempotenceScenarioTest({.producer_id_expiration = std::chrono::seconds(100)}) {}
};

TEST_F(ExpiryTest, P07ARetryWithinTheExpirationIsAnsweredWithTheFirstOffset) {
  c_.Produce(1, Of(0));
  for (int i = 0; i < 9; ++i) {
    c_.Settle();
    c_.Advance(std::chrono::seconds(10));
  }
  const auto retry = c_.Produce(1, Of(0));
  c_.Settle();
  EXPECT_EQ(c_.Reply(retry)->base_offset, Offset{0});
  EXPECT_EQ(c_.Log(1), "s0");
}

TEST_F(ExpiryTest, P07AnIdleProducerIsForgottenAndMayBeginAnew) {
  c_.Produce(1, Of(0));
  for (int i = 0; i < 30; ++i) {
    c_.Settle();
    c_.Advance(std::chrono::seconds(10));
  }
  EXPECT_TRUE(c_.core(1).producers().empty());
  EXPECT_EQ(ErrorOf(c_.Produce(1, Of(1))), ErrorCode::kUnknownProducerId);
}

TEST_F(IdempotenceScenarioTest, CoordinatorsAreNotChecked) {
  const auto token = c_.ProduceBytes(1, MakeBatch(Of(7)), -1, /*from_coordinator=*/true);
  c_.Settle();
  EXPECT_EQ(ErrorOf(token), ErrorCode::kNone);
}

}  // namespace
}  // namespace quipu
