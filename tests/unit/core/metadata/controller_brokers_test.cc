// Registration, sessions, fencing, shutdown: who is a broker, and since when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kStale = static_cast<int32_t>(ErrorCode::kStaleBrokerEpoch);
constexpr auto kUnproven = static_cast<int32_t>(ErrorCode::kUnprovenDirectory);
constexpr auto kDuplicate = static_cast<int32_t>(ErrorCode::kDuplicateBrokerRegistration);

TEST(BrokerRegistrationTest, BeginsFencedAndUnfencesOnceItHasAppliedItsOwnRegistration) {
  ControllerHarness cluster;
  const int64_t epoch = cluster.Restart(1);
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_TRUE(cluster.HeartbeatAt(1, static_cast<uint64_t>(epoch) - 1).fenced());
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_FALSE(cluster.HeartbeatAt(1, static_cast<uint64_t>(epoch)).fenced());
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(1))->fenced);
}

TEST(BrokerRegistrationTest, RefusesAnotherCluster) {
  ControllerHarness cluster;
  message::RegisterBroker request = ControllerHarness::Registration(1, -1, 1);
  request.set_cluster_id(Uuid(8, 8).ToBytes());
  EXPECT_EQ(cluster.Register(request).error_code(),
            static_cast<int32_t>(ErrorCode::kInconsistentClusterId));
}

TEST(BrokerRegistrationTest, RefusesMalformedRequests) {
  ControllerHarness cluster;
  const auto expect_refused = [&](const std::function<void(message::RegisterBroker&)>& spoil) {
    message::RegisterBroker request = ControllerHarness::Registration(1, -1, 1);
    spoil(request);
    EXPECT_EQ(cluster.Register(request).error_code(),
              static_cast<int32_t>(ErrorCode::kInvalidRequest))
        << request.ShortDebugString();
  };
  expect_refused([](auto& r) { r.set_broker_id(-1); });
  expect_refused([](auto& r) { r.set_directory_id("short"); });
  expect_refused([](auto& r) { r.set_directory_id(std::string(16, '\0')); });
  expect_refused([](auto& r) { r.clear_incarnation_id(); });
  expect_refused([](auto& r) { r.mutable_client_endpoint()->set_port(70000); });
  expect_refused([](auto& r) { r.mutable_peer_endpoint()->clear_host(); });
  expect_refused([](auto& r) { r.set_rack(std::string(1000, 'r')); });
  EXPECT_THAT(cluster.image().brokers(), IsEmpty());
}

TEST(BrokerRegistrationTest, SameProcessAskingAgainKeepsItsEpoch) {
  ControllerHarness cluster;
  const message::RegisterBroker request = ControllerHarness::Registration(1, -1, 5);
  const int64_t epoch = cluster.Register(request).broker_epoch();
  EXPECT_EQ(cluster.Register(request).broker_epoch(), epoch);
}

// R14 quick-bounce-aba: fencing of the old incarnation, new leaders and the new epoch are one
// batch.
TEST(BrokerRegistrationTest, RestartFencesTheOldIncarnationInTheSameBatch) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 1, 3);
  const PartitionImage before = cluster.Partition("a");
  const int32_t leader = before.leader.value();
  const int64_t old_epoch = cluster.Epoch(leader);
  const LogIndex index = cluster.image().index();

  const int64_t epoch = cluster.Restart(leader);
  EXPECT_EQ(cluster.image().index(), index + 1);
  EXPECT_GT(epoch, old_epoch);
  const PartitionImage& after = cluster.Partition("a");
  EXPECT_NE(after.leader, before.leader);
  EXPECT_GT(after.leader_epoch, before.leader_epoch);
  EXPECT_THAT(Ids(after.isr), ::testing::Not(::testing::Contains(leader)));
  EXPECT_TRUE(cluster.image().FindBroker(before.leader)->fenced);
}

TEST(BrokerRegistrationTest, HeartbeatOfTheOldIncarnationIsStale) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  message::BrokerHeartbeat old;
  old.set_broker_id(1);
  old.set_broker_epoch(cluster.Epoch(1));
  old.set_metadata_index(1000);
  cluster.Restart(1);
  EXPECT_EQ(cluster.core().Heartbeat(old, cluster.now_).response.error_code(), kStale);
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(1))->fenced);
}

// R25 same-epoch-after-restart, PR4: even the only replica leads on in a new epoch.
TEST(BrokerRegistrationTest, OnlyReplicaLeadsAgainInANewEpoch) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  cluster.CreateTopic("a", 1, 1);
  const LeaderEpoch before = cluster.Partition("a").leader_epoch;
  cluster.Restart(1);
  EXPECT_EQ(cluster.Partition("a").leader, kNoBroker);
  EXPECT_THAT(Ids(cluster.Partition("a").elr), ElementsAre(1));
  cluster.Heartbeat(1);
  EXPECT_EQ(cluster.Partition("a").leader, BrokerId(1));
  EXPECT_GT(cluster.Partition("a").leader_epoch, before);
  EXPECT_THAT(Ids(cluster.Partition("a").isr), ElementsAre(1));
  EXPECT_THAT(Ids(cluster.Partition("a").elr), IsEmpty());
}

TEST(BrokerRegistrationTest, CopiedDirectoryIsNotASecondBroker) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  message::RegisterBroker copy = ControllerHarness::Registration(2, -1, 77);
  copy.set_directory_id(Uuid(100, 1).ToBytes());
  EXPECT_EQ(cluster.Register(copy).error_code(), kDuplicate);
}

TEST(BrokerRegistrationTest, GrantedEpochThatWasNeverHeardMayBeMissingFromTheDirectory) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  const int64_t first = cluster.Epoch(1);
  cluster.Restart(1);  // crashes before its first heartbeat, so it may not have stored the epoch
  const auto answer = cluster.Register(ControllerHarness::Registration(1, first, 50));
  EXPECT_EQ(answer.error_code(), 0);
  EXPECT_EQ(answer.unclean_reason(), "");
}

TEST(BrokerRegistrationTest, EpochThatWasNeverGrantedIsRefused) {
  ControllerHarness cluster;
  EXPECT_EQ(cluster.Register(ControllerHarness::Registration(1, 12, 1)).error_code(), kUnproven);
  cluster.StartBrokers(1);
  EXPECT_EQ(cluster.Register(ControllerHarness::Registration(1, 1000, 50)).error_code(), kUnproven);
}

TEST(BrokerSessionTest, SilentBrokerIsFencedAfterTheSessionTimeout) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 1, 3);
  cluster.Pass(milliseconds(2900), {2, 3});
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(1))->fenced);
  cluster.Pass(milliseconds(200), {2, 3});
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(2))->fenced);
  EXPECT_THAT(Ids(cluster.Partition("a").isr), ::testing::UnorderedElementsAre(2, 3));
}

TEST(BrokerSessionTest, FencedBrokerUnfencesUnderItsEpoch) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  const int64_t epoch = cluster.Epoch(1);
  cluster.Pass(seconds(4), {});
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_FALSE(cluster.Heartbeat(1).fenced());
  EXPECT_EQ(cluster.Epoch(1), epoch);
}

TEST(BrokerSessionTest, NewActiveControllerStartsAllSessionsAnew) {
  ControllerHarness cluster;
  cluster.StartBrokers(2);
  cluster.Pass(milliseconds(2500), {});
  cluster.FailOver();
  cluster.Pass(milliseconds(2500), {});
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(1))->fenced);
  cluster.Pass(milliseconds(600), {});
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(1))->fenced);
}

TEST(BrokerSessionTest, PauseOfTheControllerItselfFencesNobody) {
  ControllerHarness cluster;
  cluster.StartBrokers(2);
  cluster.Pass(seconds(1), {1, 2});
  cluster.now_ += seconds(30);
  EXPECT_EQ(cluster.core().OnTime(cluster.now_).records_size(), 0);
  cluster.Pass(seconds(4), {1});
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(2))->fenced);
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(1))->fenced);
}

TEST(BrokerSessionTest, FencingNamesTheEpoch) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  const BrokerEpoch old(cluster.Epoch(1));
  cluster.Restart(1);
  cluster.Heartbeat(1);
  EXPECT_EQ(cluster.core().FenceBroker(BrokerId(1), old).records_size(), 0);
}

TEST(ControlledShutdownTest, MovesLeadersAwayAndThenAllows) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 6, 3);
  const message::BrokerHeartbeatResponse answer = cluster.Heartbeat(2, /*want_shutdown=*/true);
  EXPECT_TRUE(answer.may_shut_down());
  EXPECT_FALSE(answer.fenced());
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(2))->in_controlled_shutdown);
  for (const auto& [uid, partition] : cluster.image().partitions()) {
    EXPECT_NE(partition.leader, BrokerId(2));
    EXPECT_NE(partition.leader, kNoBroker);
    EXPECT_EQ(partition.isr.size(), 2U);
  }
  EXPECT_TRUE(cluster.Heartbeat(2, true).may_shut_down());
}

TEST(ControlledShutdownTest, DoesNotComeBackByAHeartbeatNorByAnIsrChange) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 1, 3);
  cluster.Heartbeat(2, true);
  cluster.Heartbeat(2);
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(2))->in_controlled_shutdown);
  EXPECT_EQ(cluster.ChangeIsr(cluster.Partition("a").uid, {1, 2, 3}),
            ErrorCode::kIneligibleReplica);
}

TEST(ControlledShutdownTest, RestartEndsIt) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  cluster.CreateTopic("a", 1, 1);
  cluster.Heartbeat(1, true);
  EXPECT_EQ(cluster.Partition("a").leader, kNoBroker);
  cluster.Pass(seconds(4), {});
  cluster.Restart(1);
  cluster.Heartbeat(1);
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(1))->in_controlled_shutdown);
  EXPECT_EQ(cluster.Partition("a").leader, BrokerId(1));
}

TEST(ProducerIdsTest, BlocksNeverOverlapAlsoAcrossControllers) {
  ControllerHarness cluster;
  cluster.StartBrokers(2);
  int64_t expected = 0;
  for (int i = 0; i < 6; ++i) {
    message::AllocateProducerIds request;
    request.set_broker_id(1 + i % 2);
    request.set_broker_epoch(cluster.Epoch(1 + i % 2));
    auto decision = cluster.core().AllocateProducerIds(request);
    cluster.Append(decision.batch);
    EXPECT_EQ(decision.response.first(), expected);
    EXPECT_EQ(decision.response.count(), 1000);
    expected += 1000;
    cluster.FailOver();
  }
}

TEST(ProducerIdsTest, StaleBrokerGetsNone) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  message::AllocateProducerIds request;
  request.set_broker_id(1);
  request.set_broker_epoch(cluster.Epoch(1) - 1);
  EXPECT_EQ(cluster.core().AllocateProducerIds(request).response.error_code(), kStale);
  request.set_broker_id(9);
  EXPECT_EQ(cluster.core().AllocateProducerIds(request).response.error_code(),
            static_cast<int32_t>(ErrorCode::kBrokerIdNotRegistered));
}

}  // namespace
}  // namespace quipu
