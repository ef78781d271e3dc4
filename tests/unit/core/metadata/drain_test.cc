// Drains: leaderships and ISR memberships go to others, and never below the minimum. Method: a
// ControllerHarness, its ISRs changed as leaders would; I31 is checked after every record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class DrainTest : public ::testing::Test {
 protected:
  DrainTest() {
    cluster_.StartBrokers(3);
    cluster_.CreateTopic("a", 6, 3);
  }
  message::AdminResponse Drain(int32_t broker, record::Drain drain) {
    message::AdminRequest request;
    request.mutable_drain_broker()->set_broker_id(broker);
    request.mutable_drain_broker()->set_drain(drain);
    return cluster_.Admin(request);
  }
  void ExpectRefused(const message::AdminResponse& response, ErrorCode code,
                     const std::string& text) {
    EXPECT_EQ(response.error_code(), static_cast<int32_t>(code)) << response.error_message();
    EXPECT_THAT(response.error_message(), HasSubstr(text));
  }
  int LedBy(int32_t broker) {
    int led = 0;
    for (const auto& [uid, partition] : cluster_.image().partitions()) {
      led += partition.leader == BrokerId(broker) ? 1 : 0;
    }
    return led;
  }
  void ChangeAllIsrs(const std::vector<int32_t>& isr) {
    const MetadataImage before = cluster_.image();
    for (const auto& [uid, partition] : before.partitions()) {
      EXPECT_EQ(cluster_.ChangeIsr(uid, isr), ErrorCode::kNone);
    }
  }
  ControllerHarness cluster_;
};

TEST_F(DrainTest, LeadershipsAndMembershipsGoToOthersInOneBatch) {
  const LogIndex before = cluster_.image().index();
  EXPECT_EQ(Drain(2, record::DRAIN_MAINTENANCE).error_code(), 0);
  EXPECT_EQ(cluster_.image().index(), before + 1);
  for (const auto& [uid, partition] : cluster_.image().partitions()) {
    EXPECT_THAT(Ids(partition.isr), UnorderedElementsAre(1, 3)) << uid;
    EXPECT_NE(partition.leader, kNoBroker);
  }
  EXPECT_FALSE(cluster_.image().FindBroker(BrokerId(2))->fenced);
}

TEST_F(DrainTest, NoIsrGoesBelowItsMinimumAndAnotherMemberLeads) {
  cluster_.SetConfig("a", "min.insync.replicas", "3");
  Drain(2, record::DRAIN_MAINTENANCE);
  for (const auto& [uid, partition] : cluster_.image().partitions()) {
    EXPECT_EQ(partition.isr.size(), 3U);
  }
  EXPECT_EQ(LedBy(2), 0);
}

TEST_F(DrainTest, WhoAloneIsInSyncLeadsUntilAnotherHasCaughtUp) {
  const PartitionUid uid = cluster_.Partition("a", 1).uid;
  ASSERT_EQ(cluster_.Partition("a", 1).leader, BrokerId(3));
  ASSERT_EQ(cluster_.ChangeIsr(uid, {3}), ErrorCode::kNone);
  Drain(3, record::DRAIN_MAINTENANCE);
  EXPECT_EQ(cluster_.Partition("a", 1).leader, BrokerId(3));
  ASSERT_EQ(cluster_.ChangeIsr(uid, {3, 1}), ErrorCode::kNone);
  cluster_.Pass(milliseconds(100), {1, 2, 3});
  EXPECT_EQ(cluster_.Partition("a", 1).leader, BrokerId(1));
  EXPECT_THAT(Ids(cluster_.Partition("a", 1).isr), UnorderedElementsAre(1, 3));
  ASSERT_EQ(cluster_.ChangeIsr(uid, {1, 2, 3}), ErrorCode::kNone);
  cluster_.Pass(milliseconds(100), {1, 2, 3});
  EXPECT_THAT(Ids(cluster_.Partition("a", 1).isr), UnorderedElementsAre(1, 2));
}

TEST_F(DrainTest, ADrainedReplicaJoinsOnlyWhereTheMinimumNeedsIt) {
  Drain(2, record::DRAIN_MAINTENANCE);
  const PartitionImage partition = cluster_.Partition("a");
  EXPECT_EQ(cluster_.ChangeIsr(partition.uid, {1, 2, 3}), ErrorCode::kIneligibleReplica);
  cluster_.Fence(partition.leader == BrokerId(1) ? 3 : 1);
  const int32_t left = cluster_.Partition("a").leader.value();
  EXPECT_EQ(cluster_.ChangeIsr(partition.uid, {left, 2}), ErrorCode::kNone);
  EXPECT_THAT(Ids(cluster_.Partition("a").isr), Contains(2));
}

TEST_F(DrainTest, LeadershipDoesNotComeBackBeforeTheDrainEnds) {
  Drain(2, record::DRAIN_MAINTENANCE);
  cluster_.Pass(std::chrono::seconds(20), {1, 2, 3});
  message::AdminRequest elect;
  elect.mutable_elect_leaders();
  EXPECT_EQ(cluster_.Admin(elect).elect_leaders().elected(), 0);
  EXPECT_EQ(LedBy(2), 0);
  EXPECT_EQ(Drain(2, record::DRAIN_NONE).error_code(), 0);
  ChangeAllIsrs({1, 2, 3});
  cluster_.Pass(std::chrono::seconds(20), {1, 2, 3});
  EXPECT_EQ(LedBy(2), 2);
}

TEST_F(DrainTest, MaintenanceSurvivesARestartAndAFailOverAndTheOthersDoNot) {
  Drain(2, record::DRAIN_MAINTENANCE);
  cluster_.FailOver();
  cluster_.Restart(2);
  cluster_.Heartbeat(2);
  EXPECT_EQ(cluster_.image().FindBroker(BrokerId(2))->drain, record::DRAIN_MAINTENANCE);
  Drain(2, record::DRAIN_STOP);
  cluster_.Restart(2);
  EXPECT_EQ(cluster_.image().FindBroker(BrokerId(2))->drain, record::DRAIN_NONE);
}

TEST_F(DrainTest, ABrokerIsToldToStopOnceItIsInNoIsr) {
  cluster_.SetConfig("a", "min.insync.replicas", "3");
  Drain(2, record::DRAIN_STOP);
  EXPECT_FALSE(cluster_.Heartbeat(2).shall_stop());
  cluster_.SetConfig("a", "min.insync.replicas", "2");
  cluster_.Pass(milliseconds(100), {1, 3});
  EXPECT_TRUE(cluster_.Heartbeat(2).shall_stop());
  EXPECT_FALSE(cluster_.Heartbeat(1).shall_stop());
}

TEST_F(DrainTest, NewPartitionsGoToOthersWhereThereAreEnough) {
  EXPECT_EQ(Drain(2, record::DRAIN_MAINTENANCE).error_code(), 0);
  cluster_.CreateTopic("few", 6, 2);
  cluster_.CreateTopic("all", 6, 3);
  const TopicImage* few = cluster_.image().FindTopicByName("few");
  for (const PartitionUid uid : few->partitions) {
    EXPECT_THAT(Ids(cluster_.image().FindPartition(uid)->replicas), UnorderedElementsAre(1, 3));
  }
  const TopicImage* all = cluster_.image().FindTopicByName("all");
  for (const PartitionUid uid : all->partitions) {
    const PartitionImage& partition = *cluster_.image().FindPartition(uid);
    EXPECT_EQ(partition.replicas.size(), 3U);
    EXPECT_NE(partition.leader, BrokerId(2));
  }
}

TEST_F(DrainTest, WhatCannotBeDrainedIsRefused) {
  ExpectRefused(Drain(9, record::DRAIN_STOP), ErrorCode::kBrokerIdNotRegistered, "no broker 9");
  ExpectRefused(Drain(2, record::DRAIN_SHUTDOWN), ErrorCode::kInvalidRequest, "broker 2");
  cluster_.Fence(2);
  ExpectRefused(Drain(2, record::DRAIN_STOP), ErrorCode::kIneligibleReplica, "fenced");
  EXPECT_EQ(Drain(2, record::DRAIN_MAINTENANCE).error_code(), 0);
  cluster_.Heartbeat(3, /*want_shutdown=*/true);
  ExpectRefused(Drain(3, record::DRAIN_NONE), ErrorCode::kInvalidRequest, "stopping");
}

// Who asks again must not hear of an error because the first request has had its effect meanwhile.
TEST_F(DrainTest, ABrokerThatStopsMayBeAskedToStop) {
  cluster_.Heartbeat(3, /*want_shutdown=*/true);
  const LogIndex before = cluster_.image().index();
  EXPECT_EQ(Drain(3, record::DRAIN_STOP).error_code(), 0);
  EXPECT_EQ(cluster_.image().index(), before);
}

// A rolling restart: the second broker stops while the first one is back and not yet in sync.
TEST_F(DrainTest, AShutdownWaitsForThoseWhoCatchUpAndNotForTheDead) {
  cluster_.Heartbeat(1, true);
  cluster_.Restart(1);
  cluster_.Heartbeat(1);
  EXPECT_FALSE(cluster_.Heartbeat(2, true).may_shut_down());
  EXPECT_EQ(LedBy(2), 0);
  for (const auto& [uid, partition] : cluster_.image().partitions()) {
    EXPECT_THAT(Ids(partition.isr), UnorderedElementsAre(2, 3));
  }
  ChangeAllIsrs({1, 2, 3});
  EXPECT_TRUE(cluster_.Heartbeat(2, true).may_shut_down());
  for (const auto& [uid, partition] : cluster_.image().partitions()) {
    EXPECT_THAT(Ids(partition.isr), UnorderedElementsAre(1, 3));
  }
  // Nobody is left who could take its place: it goes at once, and stays eligible.
  cluster_.Fence(2);
  EXPECT_TRUE(cluster_.Heartbeat(1, true).may_shut_down());
  EXPECT_THAT(Ids(cluster_.Partition("a").elr), Contains(1));
}

TEST_F(DrainTest, TwoThatStopDoNotWaitForEachOther) {
  cluster_.SetConfig("a", "min.insync.replicas", "3");
  EXPECT_TRUE(cluster_.Heartbeat(1, true).may_shut_down());
  EXPECT_TRUE(cluster_.Heartbeat(2, true).may_shut_down());
  EXPECT_TRUE(cluster_.Heartbeat(3, true).may_shut_down());
}

class MorePartitionsTest : public DrainTest {
 protected:
  message::AdminResponse Grow(const std::string& topic, int32_t count, bool allow = true) {
    message::AdminRequest request;
    request.mutable_create_partitions()->set_topic(topic);
    request.mutable_create_partitions()->set_count(count);
    request.mutable_create_partitions()->set_allow_key_remap(allow);
    return cluster_.Admin(request);
  }
};

TEST_F(MorePartitionsTest, NewPartitionsHaveTheTopicsReplicationFactorAndOwnUids) {
  cluster_.CreateTopic("b", 1, 2);
  EXPECT_EQ(Grow("a", 8).error_code(), 0);
  const TopicImage* topic = cluster_.image().FindTopicByName("a");
  ASSERT_EQ(topic->partitions.size(), 8U);
  EXPECT_EQ(cluster_.Partition("a", 7).replicas.size(), 3U);
  EXPECT_EQ(cluster_.Partition("a", 7).isr.size(), 3U);
  EXPECT_GT(cluster_.Partition("a", 6).uid, cluster_.Partition("b", 0).uid);
  EXPECT_EQ(Grow("b", 2).error_code(), 0);
  EXPECT_EQ(cluster_.Partition("b", 1).replicas.size(), 2U);
}

TEST_F(MorePartitionsTest, AccountsMoveOnlyWhenThatIsAllowed) {
  ExpectRefused(Grow("a", 8, false), ErrorCode::kPolicyViolation, "accounts move");
  EXPECT_EQ(cluster_.image().FindTopicByName("a")->partitions.size(), 6U);
}

TEST_F(MorePartitionsTest, WhatCannotBeDoneIsRefused) {
  ExpectRefused(Grow("z", 8), ErrorCode::kUnknownTopicOrPartition, "'z'");
  ExpectRefused(Grow("a", 6), ErrorCode::kInvalidPartitions, "6 partitions");
  ExpectRefused(Grow("a", 30000), ErrorCode::kLimitReached, "quipu.partitions.max");
  cluster_.Fence(1);
  ExpectRefused(Grow("a", 7), ErrorCode::kInvalidReplicationFactor, "live brokers");
  message::AdminRequest request;
  request.mutable_create_topic()->set_name("__consumer_offsets");
  request.mutable_create_topic()->set_partitions(1);
  request.mutable_create_topic()->set_replication_factor(1);
  request.mutable_create_topic()->set_internal(true);
  ASSERT_EQ(cluster_.Admin(request).error_code(), 0);
  ExpectRefused(Grow("__consumer_offsets", 2), ErrorCode::kInvalidTopic, "__consumer_offsets");
}

}  // namespace
}  // namespace quipu
