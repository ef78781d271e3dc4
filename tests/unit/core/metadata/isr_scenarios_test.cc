// ISR, ELR and leaders: the controller's part of the named scenarios.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Three brokers and one partition with replicas on all of them, min.insync.replicas 2.
class IsrTest : public ::testing::Test {
 protected:
  IsrTest() {
    cluster_.StartBrokers(3);
    cluster_.CreateTopic("a", 1, 3);
    uid_ = cluster_.Partition("a").uid;
    for (const BrokerId id : Now().replicas) order_.push_back(id.value());
  }
  const PartitionImage& Now() const { return *cluster_.image().FindPartition(uid_); }
  void Bounce(int32_t id) {
    cluster_.Restart(id);
    cluster_.Heartbeat(id);
  }

  ControllerHarness cluster_;
  PartitionUid uid_;
  std::vector<int32_t> order_;  // leader first
};

TEST_F(IsrTest, NewPartitionHasAllReplicasInSync) {
  EXPECT_EQ(Now().leader.value(), order_[0]);
  EXPECT_EQ(Ids(Now().isr), order_);
  EXPECT_EQ(Now().leader_epoch, LeaderEpoch(0));
}

TEST_F(IsrTest, LeaderShrinksAndExpands) {
  EXPECT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[1]}), ErrorCode::kNone);
  EXPECT_THAT(Ids(Now().isr), ElementsAre(order_[0], order_[1]));
  EXPECT_THAT(Now().elr, IsEmpty());
  EXPECT_EQ(Now().partition_epoch, PartitionEpoch(1));
  EXPECT_EQ(Now().leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(cluster_.ChangeIsr(uid_, order_), ErrorCode::kNone);
  EXPECT_EQ(Ids(Now().isr), order_);
}

TEST_F(IsrTest, AnswerNamesTheEpochAfterTheChange) {
  const auto response = cluster_.Alter(cluster_.IsrRequest(Now(), {order_[0]}));
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).partition_epoch(), 1);
  EXPECT_EQ(response.results(0).partition_uid(), uid_.value());
}

// R12 stale-alter-partition.
TEST_F(IsrTest, OlderPartitionEpochFailsCompareAndSet) {
  const message::AlterPartitions stale = cluster_.IsrRequest(Now(), order_);
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[1]}), ErrorCode::kNone);
  EXPECT_EQ(cluster_.AlterOne(stale), ErrorCode::kInvalidUpdateVersion);
}

// R12: a leader that was replaced.
TEST_F(IsrTest, ZombieLeaderIsFenced) {
  const message::AlterPartitions stale = cluster_.IsrRequest(Now(), {order_[0]});
  cluster_.Fence(order_[0]);
  EXPECT_EQ(cluster_.AlterOne(stale), ErrorCode::kFencedLeaderEpoch);
}

TEST_F(IsrTest, EpochsFromTheFutureSayThatThisControllerIsBehind) {
  message::AlterPartitions request = cluster_.IsrRequest(Now(), order_);
  request.mutable_changes(0)->set_leader_epoch(5);
  EXPECT_EQ(cluster_.AlterOne(request), ErrorCode::kNotController);
  request = cluster_.IsrRequest(Now(), order_);
  request.mutable_changes(0)->set_partition_epoch(5);
  EXPECT_EQ(cluster_.AlterOne(request), ErrorCode::kNotController);
}

TEST_F(IsrTest, OnlyTheLeaderAsks) {
  message::AlterPartitions request = cluster_.IsrRequest(Now(), order_);
  request.set_broker_id(order_[1]);
  request.set_broker_epoch(cluster_.Epoch(order_[1]));
  EXPECT_EQ(cluster_.AlterOne(request), ErrorCode::kInvalidRequest);
}

TEST_F(IsrTest, LeaderOfAnOlderBrokerEpochIsStale) {
  message::AlterPartitions request = cluster_.IsrRequest(Now(), order_);
  request.set_broker_epoch(request.broker_epoch() - 1);
  EXPECT_EQ(cluster_.AlterOne(request), ErrorCode::kStaleBrokerEpoch);
}

TEST_F(IsrTest, NewIsrMustBeASetOfReplicasWithTheLeader) {
  EXPECT_EQ(cluster_.ChangeIsr(uid_, {}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(cluster_.ChangeIsr(uid_, {order_[1], order_[2]}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[0]}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(cluster_.ChangeIsr(uid_, {order_[0], 9}), ErrorCode::kInvalidRequest);
}

TEST_F(IsrTest, UnknownPartitionIsSaidSo) {
  message::AlterPartitions request = cluster_.IsrRequest(Now(), order_);
  request.mutable_changes(0)->set_partition_uid(99);
  EXPECT_EQ(cluster_.AlterOne(request), ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(IsrTest, SecondChangeOfOnePartitionInARequestIsRefused) {
  message::AlterPartitions request = cluster_.IsrRequest(Now(), {order_[0]});
  *request.add_changes() = request.changes(0);
  const auto response = cluster_.Alter(request);
  EXPECT_EQ(response.results(0).error_code(), 0);
  EXPECT_EQ(response.results(1).error_code(),
            static_cast<int32_t>(ErrorCode::kInvalidUpdateVersion));
}

TEST_F(IsrTest, FencedReplicaMayNotJoin) {
  cluster_.Fence(order_[2]);
  EXPECT_EQ(cluster_.ChangeIsr(uid_, order_), ErrorCode::kIneligibleReplica);
}

// R13 stale-broker-epoch-joins-isr: the replica came back, perhaps empty, while the request was on
// its way.
TEST_F(IsrTest, ReplicaThatRestartedSinceTheLeaderSawItMayNotJoin) {
  cluster_.Fence(order_[2]);
  cluster_.Heartbeat(order_[2]);
  const message::AlterPartitions late = cluster_.IsrRequest(Now(), order_);
  Bounce(order_[2]);
  EXPECT_EQ(cluster_.AlterOne(late), ErrorCode::kIneligibleReplica);
  EXPECT_EQ(cluster_.ChangeIsr(uid_, order_), ErrorCode::kNone);
}

// R15 last-replica-standing: those who leave below the minimum stay eligible.
TEST_F(IsrTest, BelowTheMinimumTheRemovedBecomeEligible) {
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[1]}), ErrorCode::kNone);
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0]}), ErrorCode::kNone);
  EXPECT_THAT(Ids(Now().elr), ElementsAre(order_[1]));
  cluster_.Fence(order_[0]);
  EXPECT_EQ(Now().leader.value(), order_[1]);
  EXPECT_THAT(Ids(Now().isr), ElementsAre(order_[1]));
  EXPECT_THAT(Ids(Now().elr), ElementsAre(order_[0]));
}

TEST_F(IsrTest, MemberThatLeftAboveTheMinimumIsNotEligible) {
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[1]}), ErrorCode::kNone);
  cluster_.Fence(order_[0]);
  cluster_.Fence(order_[1]);
  EXPECT_EQ(Now().leader, kNoBroker);
  EXPECT_THAT(Now().isr, IsEmpty());
  EXPECT_THAT(Ids(Now().elr), UnorderedElementsAre(order_[0], order_[1]));
  Bounce(order_[2]);
  EXPECT_EQ(Now().leader, kNoBroker);
}

// R16: ISR = [1], ELR = [2], and 3 joins.
TEST_F(IsrTest, JoiningBesideAnEligibleReplicaEmptiesTheElr) {
  cluster_.Fence(order_[1]);
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0]}), ErrorCode::kNone);
  EXPECT_THAT(Ids(Now().elr), ElementsAre(order_[2]));
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[2]}), ErrorCode::kNone);
  EXPECT_THAT(Now().elr, IsEmpty());
}

// R17 elr-not-cleared: in the same record.
TEST_F(IsrTest, FullIsrEmptiesTheElrInTheSameRecord) {
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0]}), ErrorCode::kNone);
  ASSERT_THAT(Ids(Now().elr), ElementsAre(order_[1], order_[2]));
  const auto decision =
      cluster_.core().AlterPartitions(cluster_.IsrRequest(Now(), {order_[0], order_[1]}));
  ASSERT_EQ(decision.batch.records_size(), 1);
  EXPECT_TRUE(decision.batch.records(0).partition_change().elr_changed());
  EXPECT_EQ(decision.batch.records(0).partition_change().elr_size(), 0);
}

// R18 whole-cluster-power-loss: the last two in sync are the ones that may lead again, in any
// order.
TEST_F(IsrTest, WholeClusterPowerLossElectsOnlyWhoHasEverything) {
  cluster_.Fence(order_[0]);
  cluster_.Fence(order_[1]);
  cluster_.Fence(order_[2]);
  EXPECT_EQ(Now().leader, kNoBroker);
  EXPECT_THAT(Ids(Now().elr), UnorderedElementsAre(order_[1], order_[2]));
  Bounce(order_[0]);
  EXPECT_EQ(Now().leader, kNoBroker);
  Bounce(order_[2]);
  EXPECT_EQ(Now().leader.value(), order_[2]);
  EXPECT_THAT(Ids(Now().isr), ElementsAre(order_[2]));
  EXPECT_THAT(Ids(Now().elr), ElementsAre(order_[1]));
}

TEST_F(IsrTest, RestartedMemberStaysEligible) {
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[1]}), ErrorCode::kNone);
  Bounce(order_[1]);
  EXPECT_THAT(Ids(Now().isr), ElementsAre(order_[0]));
  EXPECT_THAT(Ids(Now().elr), ElementsAre(order_[1]));
}

// R10, R11: each change is in the log before anybody acts on it, so a leader's next proposal sees
// the former one also while that is not committed.
TEST_F(IsrTest, NextProposalIsDecidedOnTheFormerOne) {
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0], order_[1]}), ErrorCode::kNone);
  message::AlterPartitions next = cluster_.IsrRequest(Now(), {order_[0]});
  EXPECT_EQ(next.changes(0).partition_epoch(), 1);
  EXPECT_EQ(cluster_.AlterOne(next), ErrorCode::kNone);
}

TEST_F(IsrTest, ChangeOfTheMinimumEmptiesTheElrAndOutdatesProposals) {
  ASSERT_EQ(cluster_.ChangeIsr(uid_, {order_[0]}), ErrorCode::kNone);
  const message::AlterPartitions in_flight = cluster_.IsrRequest(Now(), {order_[0], order_[1]});
  const LogIndex index = cluster_.image().index();
  EXPECT_EQ(cluster_.SetConfig("a", "min.insync.replicas", "3").error_code(), 0);
  EXPECT_EQ(cluster_.image().index(), index + 1);
  EXPECT_THAT(Now().elr, IsEmpty());
  EXPECT_EQ(cluster_.AlterOne(in_flight), ErrorCode::kInvalidUpdateVersion);
}

TEST_F(IsrTest, MinimumStaysWhileOnlyEligibleReplicasAreLeft) {
  cluster_.Fence(order_[0]);
  cluster_.Fence(order_[1]);
  cluster_.Fence(order_[2]);
  EXPECT_EQ(cluster_.SetConfig("a", "min.insync.replicas", "1").error_code(),
            static_cast<int32_t>(ErrorCode::kNotEnoughReplicas));
  EXPECT_THAT(Ids(Now().elr), UnorderedElementsAre(order_[1], order_[2]));
}

TEST_F(IsrTest, PreferredLeaderComesBackByItself) {
  Bounce(order_[0]);
  EXPECT_EQ(Now().leader.value(), order_[1]);
  cluster_.Pass(seconds(12), {1, 2, 3});
  EXPECT_EQ(Now().leader.value(), order_[1]);  // not in sync yet
  ASSERT_EQ(cluster_.ChangeIsr(uid_, order_), ErrorCode::kNone);
  const LeaderEpoch before = Now().leader_epoch;
  cluster_.Pass(seconds(4), {1, 2, 3});
  EXPECT_EQ(Now().leader.value(), order_[1]);
  cluster_.Pass(seconds(7), {1, 2, 3});
  EXPECT_EQ(Now().leader.value(), order_[0]);
  EXPECT_GT(Now().leader_epoch, before);
  EXPECT_EQ(Ids(Now().isr), order_);
}

TEST_F(IsrTest, PreferredLeaderOnRequest) {
  Bounce(order_[0]);
  ASSERT_EQ(cluster_.ChangeIsr(uid_, order_), ErrorCode::kNone);
  message::AdminRequest elect;
  elect.mutable_elect_leaders()->set_topic("a");
  EXPECT_EQ(cluster_.Admin(elect).elect_leaders().elected(), 1);
  EXPECT_EQ(Now().leader.value(), order_[0]);
  EXPECT_EQ(cluster_.Admin(elect).elect_leaders().elected(), 0);
  elect.mutable_elect_leaders()->add_partitions(7);
  EXPECT_EQ(cluster_.Admin(elect).error_code(),
            static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
}

}  // namespace
}  // namespace quipu
