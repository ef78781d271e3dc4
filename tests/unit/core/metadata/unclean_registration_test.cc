// Goal: a broker whose log is not known to be complete registers, and may lead nothing by it (D4).
// Method: registrations of each kind against one controller, ISR and ELR before and after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kDuplicate = static_cast<int32_t>(ErrorCode::kDuplicateBrokerRegistration);

class UncleanRegistrationTest : public ::testing::Test {
 protected:
  UncleanRegistrationTest() {
    cluster_.StartBrokers(3);
    cluster_.CreateTopic("a", 1, 3);
  }
  // A registration of `id` as its sound directory would send it, to be spoilt.
  message::RegisterBroker Request(int32_t id) {
    return ControllerHarness::Registration(id, cluster_.Epoch(id), ++incarnation_);
  }
  message::RegisterBroker UncleanRequest(int32_t id) {
    message::RegisterBroker request = Request(id);
    request.set_unclean(true);
    return request;
  }
  const PartitionImage& partition() const { return cluster_.Partition("a"); }
  int32_t leader() const { return partition().leader.value(); }
  // A replica that does not lead.
  int32_t follower() const { return leader() == 1 ? 2 : 1; }

  ControllerHarness cluster_;
  uint64_t incarnation_ = 1000;
};

TEST_F(UncleanRegistrationTest, SaidByTheBrokerItLeavesTheIsrInTheSameBatch) {
  const LogIndex index = cluster_.image().index();
  const int32_t lost = leader();
  const PartitionImage before = partition();
  const auto answer = cluster_.Register(UncleanRequest(lost));
  EXPECT_EQ(answer.error_code(), 0);
  EXPECT_THAT(answer.unclean_reason(), HasSubstr("complete"));
  EXPECT_EQ(cluster_.image().index(), index + 1);
  EXPECT_TRUE(cluster_.image().FindBroker(BrokerId(lost))->unclean);
  EXPECT_GT(partition().leader_epoch, before.leader_epoch);
  EXPECT_NE(partition().leader, before.leader);
  EXPECT_THAT(Ids(partition().isr), ::testing::Not(::testing::Contains(lost)));
}

TEST_F(UncleanRegistrationTest, ItLeavesTheElrToo) {
  const PartitionUid uid = partition().uid;
  const int32_t lost = follower();
  ASSERT_EQ(cluster_.ChangeIsr(uid, {leader()}), ErrorCode::kNone);
  ASSERT_THAT(Ids(partition().elr), ::testing::Contains(lost));
  cluster_.Register(UncleanRequest(lost));
  EXPECT_THAT(Ids(partition().elr), ::testing::Not(::testing::Contains(lost)));
  EXPECT_EQ(partition().elr.size(), 1U);
}

TEST_F(UncleanRegistrationTest, BelowTheMinimumTheOthersStayEligibleAndItDoesNot) {
  const int32_t lost = leader();
  ASSERT_EQ(cluster_.ChangeIsr(partition().uid, {lost, follower()}), ErrorCode::kNone);
  cluster_.Register(UncleanRequest(lost));
  EXPECT_EQ(partition().isr.size(), 1U);
  EXPECT_THAT(Ids(partition().elr), IsEmpty());
}

TEST_F(UncleanRegistrationTest, WhenNobodyElseIsEligibleThePartitionIsOffline) {
  const int32_t lost = leader();
  ASSERT_EQ(cluster_.ChangeIsr(partition().uid, {lost, follower()}), ErrorCode::kNone);
  const int32_t other = follower();
  cluster_.Register(UncleanRequest(lost));
  cluster_.Register(UncleanRequest(other));
  EXPECT_THAT(Ids(partition().isr), IsEmpty());
  EXPECT_THAT(Ids(partition().elr), IsEmpty());
  EXPECT_EQ(partition().leader, kNoBroker);
  // Nobody comes back into it by a heartbeat.
  for (const int32_t id : {1, 2, 3}) cluster_.Heartbeat(id);
  EXPECT_EQ(partition().leader, kNoBroker);
  EXPECT_TRUE(MetadataImage::FromSnapshot(cluster_.image().index(),
                                          cluster_.image().ToSnapshot()) == cluster_.image());
}

TEST_F(UncleanRegistrationTest, ALeaderTakesItInAgain) {
  const int32_t lost = follower();
  cluster_.Register(UncleanRequest(lost));
  EXPECT_EQ(cluster_.ChangeIsr(partition().uid, {1, 2, 3}), ErrorCode::kIneligibleReplica);
  cluster_.Heartbeat(lost);
  EXPECT_EQ(cluster_.ChangeIsr(partition().uid, {1, 2, 3}), ErrorCode::kNone);
  // The next life of it is clean.
  EXPECT_EQ(cluster_.Register(Request(lost)).unclean_reason(), "");
  EXPECT_FALSE(cluster_.image().FindBroker(BrokerId(lost))->unclean);
}

TEST_F(UncleanRegistrationTest, TheSameProcessAskingAgainHearsItAgain) {
  const message::RegisterBroker request = UncleanRequest(1);
  const int64_t epoch = cluster_.Register(request).broker_epoch();
  const auto again = cluster_.Register(request);
  EXPECT_EQ(again.broker_epoch(), epoch);
  EXPECT_NE(again.unclean_reason(), "");
}

TEST_F(UncleanRegistrationTest, UnknownBrokerMayBeUncleanFromTheBeginning) {
  const auto answer = cluster_.Register([] {
    message::RegisterBroker request = ControllerHarness::Registration(9, -1, 1);
    request.set_unclean(true);
    return request;
  }());
  EXPECT_EQ(answer.error_code(), 0);
  EXPECT_TRUE(cluster_.image().FindBroker(BrokerId(9))->unclean);
}

// S14, R13, R14: an empty disk under a known id is another log; first the old session has to end.
TEST_F(UncleanRegistrationTest, OtherDirectoryWaitsForTheOldSessionAndIsUnclean) {
  message::RegisterBroker other = ControllerHarness::Registration(1, -1, 77);
  other.set_directory_id(Uuid(300, 1).ToBytes());
  EXPECT_EQ(cluster_.Register(other).error_code(), kDuplicate);
  EXPECT_THAT(Ids(partition().isr), ::testing::Contains(1));
  cluster_.Pass(seconds(4), {2, 3});
  const auto answer = cluster_.Register(other);
  EXPECT_EQ(answer.error_code(), 0);
  EXPECT_THAT(answer.unclean_reason(), HasSubstr("data directory"));
  EXPECT_TRUE(cluster_.image().FindBroker(BrokerId(1))->unclean);
  EXPECT_THAT(Ids(partition().isr), ::testing::Not(::testing::Contains(1)));
  // From now on that is the broker's directory, and the former one is the stranger.
  cluster_.Heartbeat(1);
  cluster_.Pass(seconds(4), {2, 3});
  EXPECT_NE(cluster_.Register(Request(1)).unclean_reason(), "");
}

TEST_F(UncleanRegistrationTest, EmptyDiskOfTheOnlyEligibleBrokerLeavesNobody) {
  const int32_t last = leader();
  ASSERT_EQ(cluster_.ChangeIsr(partition().uid, {last, follower()}), ErrorCode::kNone);
  cluster_.Register(UncleanRequest(follower()));
  cluster_.Pass(seconds(4), {});
  ASSERT_THAT(Ids(partition().elr), ElementsAre(last));
  message::RegisterBroker empty = ControllerHarness::Registration(last, -1, 77);
  empty.set_directory_id(Uuid(300, 1).ToBytes());
  cluster_.Register(empty);
  cluster_.Heartbeat(last);
  EXPECT_EQ(partition().leader, kNoBroker);
  EXPECT_THAT(Ids(partition().elr), IsEmpty());
}

// S15 rolled-back disk: what counts is the newest epoch heard, also by an earlier controller.
TEST_F(UncleanRegistrationTest, DirectoryOlderThanTheLastHeardEpochIsUnclean) {
  const int64_t first = cluster_.Epoch(1);
  cluster_.Restart(1);
  cluster_.Heartbeat(1);
  cluster_.FailOver();
  const auto answer = cluster_.Register(ControllerHarness::Registration(1, first, 50));
  EXPECT_EQ(answer.error_code(), 0);
  EXPECT_THAT(answer.unclean_reason(), HasSubstr("rolled back"));
  // Its answer was lost before the directory stored the epoch: it stays unclean.
  cluster_.FailOver();
  EXPECT_THAT(cluster_.Register(ControllerHarness::Registration(1, first, 51)).unclean_reason(),
              HasSubstr("rolled back"));
}

// ---- recovery by a person ---------------------------------------------------------------------

class RecoverPartitionTest : public UncleanRegistrationTest {
 protected:
  // All replicas have lost their logs and live.
  void LoseAll() {
    for (const int32_t id : {1, 2, 3}) cluster_.Register(UncleanRequest(id));
    for (const int32_t id : {1, 2, 3}) cluster_.Heartbeat(id);
  }
  message::AdminRequest Recovery(int32_t broker) const {
    message::AdminRequest request;
    message::RecoverPartition* recover = request.mutable_recover_partition();
    recover->set_topic("a");
    recover->set_partition(0);
    recover->set_broker_id(broker);
    recover->set_broker_epoch(cluster_.Epoch(broker));
    recover->set_leader_epoch(partition().leader_epoch.value());
    recover->set_partition_epoch(partition().partition_epoch.value());
    return request;
  }
  ErrorCode Recover(const message::AdminRequest& request) {
    return static_cast<ErrorCode>(cluster_.Admin(request).error_code());
  }
};

TEST_F(RecoverPartitionTest, TheChosenReplicaIsTheWholeIsrInANewEpoch) {
  LoseAll();
  const LeaderEpoch before = partition().leader_epoch;
  ASSERT_EQ(Recover(Recovery(2)), ErrorCode::kNone);
  EXPECT_EQ(partition().leader, BrokerId(2));
  EXPECT_THAT(Ids(partition().isr), ElementsAre(2));
  EXPECT_THAT(Ids(partition().elr), IsEmpty());
  EXPECT_EQ(partition().leader_epoch, before + 1);
  EXPECT_EQ(partition().unclean_epoch, before + 1);
  EXPECT_TRUE(MetadataImage::FromSnapshot(cluster_.image().index(),
                                          cluster_.image().ToSnapshot()) == cluster_.image());
  EXPECT_EQ(cluster_.ChangeIsr(partition().uid, {1, 2, 3}), ErrorCode::kNone);
}

TEST_F(RecoverPartitionTest, RefusedWhileSomebodyLeadsOrCouldWithoutLoss) {
  EXPECT_EQ(Recover(Recovery(2)), ErrorCode::kElectionNotNeeded);
  cluster_.Pass(seconds(4), {});  // all are fenced, and eligible
  ASSERT_FALSE(partition().elr.empty());
  const auto answer = cluster_.Admin(Recovery(2));
  EXPECT_EQ(static_cast<ErrorCode>(answer.error_code()), ErrorCode::kElectionNotNeeded);
  EXPECT_THAT(answer.error_message(), HasSubstr("without loss"));
}

TEST_F(RecoverPartitionTest, RefusedForWhoIsDeadOrNoReplica) {
  LoseAll();
  cluster_.Fence(2);
  EXPECT_EQ(Recover(Recovery(2)), ErrorCode::kIneligibleReplica);
  EXPECT_EQ(Recover(Recovery(8)), ErrorCode::kIneligibleReplica);
}

TEST_F(RecoverPartitionTest, RefusedWhenTheChoiceIsOutOfDate) {
  LoseAll();
  const message::AdminRequest old = Recovery(2);
  cluster_.Restart(2);
  cluster_.Heartbeat(2);
  EXPECT_EQ(Recover(old), ErrorCode::kInvalidUpdateVersion);
  message::AdminRequest stale = Recovery(2);
  stale.mutable_recover_partition()->set_partition_epoch(partition().partition_epoch.value() - 1);
  EXPECT_EQ(Recover(stale), ErrorCode::kInvalidUpdateVersion);
  stale = Recovery(2);
  stale.mutable_recover_partition()->set_leader_epoch(partition().leader_epoch.value() - 1);
  EXPECT_EQ(Recover(stale), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Recover(Recovery(2)), ErrorCode::kNone);
}

TEST_F(RecoverPartitionTest, UnknownPartitionIsNamed) {
  LoseAll();
  message::AdminRequest request = Recovery(2);
  request.mutable_recover_partition()->set_partition(7);
  EXPECT_EQ(Recover(request), ErrorCode::kUnknownTopicOrPartition);
  request.mutable_recover_partition()->set_topic("nowhere");
  EXPECT_EQ(Recover(request), ErrorCode::kUnknownTopicOrPartition);
}

}  // namespace
}  // namespace quipu
