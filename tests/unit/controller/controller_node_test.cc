// A whole controller in a world without threads: what brokers see of one voter, and of three.
#include "controller/controller_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/metadata/controller_core.h"
#include "core/metadata/metadata_invariants.h"
#include "core/raft/raft_core.h"
#include "tests/unit/controller/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ControllerNodeTest : public ::testing::Test {
 protected:
  explicit ControllerNodeTest(int voters = 1) : quorum_(voters) {
    quorum_.executor.RunFor(seconds(5));
  }

  void Run(Duration time = milliseconds(50)) { quorum_.executor.RunFor(time); }
  // Registers and unfences; returns the broker epoch.
  int64_t Join(FakeBroker& broker, int64_t last_epoch = -1, uint64_t incarnation = 1) {
    const uint64_t request = broker.Register(last_epoch, incarnation);
    Run();
    const message::ControllerToBroker* answer = broker.Answer(request);
    if (answer == nullptr || answer->register_().error_code() != 0) return -1;
    const int64_t epoch = answer->register_().broker_epoch();
    broker.Heartbeat(epoch);
    Run();
    return epoch;
  }
  MetadataImagePtr Image() { return quorum_.active().inspector().image(); }

  FakeQuorum quorum_;
};

TEST_F(ControllerNodeTest, FirstEntryOfANewClusterIsItsId) {
  ASSERT_EQ(quorum_.Active(), 1);
  EXPECT_EQ(Image()->cluster_id(), Uuid(7, 7));
}

TEST_F(ControllerNodeTest, BrokerEpochIsTheIndexOfTheRegistration) {
  FakeBroker broker(quorum_.active(), 1);
  const int64_t epoch = Join(broker);
  EXPECT_GT(epoch, 0);
  EXPECT_EQ(Image()->FindBroker(BrokerId(1))->epoch.value(), epoch);
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
}

TEST_F(ControllerNodeTest, AnswersWaitForTheCommit) {
  FakeBroker broker(quorum_.active(), 1);
  quorum_.ports(1).drop_persists = true;
  const uint64_t request = broker.Register();
  Run(milliseconds(500));
  EXPECT_EQ(broker.Answer(request), nullptr);
  EXPECT_EQ(Image()->FindBroker(BrokerId(1)), nullptr);
  EXPECT_NE(quorum_.active().inspector().core().image().FindBroker(BrokerId(1)), nullptr);
}

TEST_F(ControllerNodeTest, SubscriberFollowsEveryEntry) {
  FakeBroker broker(quorum_.active(), 1);
  broker.Subscribe(1);
  const int64_t epoch = Join(broker);
  broker.CreateTopic("a", 3, 1);
  Run();
  EXPECT_TRUE(broker.Followed() == *Image());
  EXPECT_EQ(broker.Followed().FindBroker(BrokerId(1))->epoch.value(), epoch);
  for (const message::ControllerToBroker& message : broker.sender().sent) {
    if (!message.has_metadata()) continue;
    EXPECT_EQ(message.metadata().controller_id(), 1);
    EXPECT_EQ(message.metadata().controller_epoch(),
              quorum_.active().inspector().raft().term().value());
  }
}

TEST_F(ControllerNodeTest, SubscriberIsGreetedWhenThereIsNothingNew) {
  FakeBroker broker(quorum_.active(), 1);
  const uint64_t request = broker.Subscribe(Image()->index().value() + 1);
  Run();
  ASSERT_NE(broker.Answer(request), nullptr);
  EXPECT_EQ(broker.Answer(request)->metadata().committed_index(), Image()->index().value());
}

TEST_F(ControllerNodeTest, SubscriberAheadOfTheLogIsClosed) {
  FakeBroker broker(quorum_.active(), 1);
  broker.Subscribe(Image()->index().value() + 2);
  Run();
  EXPECT_TRUE(broker.sender().closed);
}

TEST_F(ControllerNodeTest, IsrChangeGoesThroughTheLog) {
  FakeBroker one(quorum_.active(), 1);
  FakeBroker two(quorum_.active(), 2);
  const int64_t epoch_one = Join(one);
  const int64_t epoch_two = Join(two);
  one.CreateTopic("a", 1, 2);
  Run();
  const PartitionImage partition = Image()->partitions().begin()->second;
  const bool one_leads = partition.leader == BrokerId(1);
  FakeBroker& leader = one_leads ? one : two;
  message::BrokerToController request;
  message::AlterPartitions* alter = request.mutable_alter_partitions();
  alter->set_broker_id(partition.leader.value());
  alter->set_broker_epoch(one_leads ? epoch_one : epoch_two);
  message::IsrChange* change = alter->add_changes();
  change->set_partition_uid(partition.uid.value());
  change->set_leader_epoch(0);
  change->set_partition_epoch(0);
  change->add_new_isr()->set_broker_id(partition.leader.value());
  const uint64_t id = leader.Send(request);
  Run();
  ASSERT_NE(leader.Answer(id), nullptr);
  EXPECT_EQ(leader.Answer(id)->alter_partitions().results(0).error_code(), 0);
  EXPECT_EQ(Image()->partitions().begin()->second.isr.size(), 1U);
  // Again: compare and set fails now, and the refusal is an answer too.
  const uint64_t again = leader.Send(request);
  Run();
  ASSERT_NE(leader.Answer(again), nullptr);
  EXPECT_EQ(leader.Answer(again)->alter_partitions().results(0).error_code(),
            static_cast<int32_t>(ErrorCode::kInvalidUpdateVersion));
}

TEST_F(ControllerNodeTest, IsrChangeNeedsAHeartbeatOnItsOwnStreamFirst) {
  FakeBroker broker(quorum_.active(), 1);
  const int64_t epoch = Join(broker);
  FakeBroker other_stream(quorum_.active(), 1);
  message::BrokerToController request;
  request.mutable_alter_partitions()->set_broker_id(1);
  request.mutable_alter_partitions()->set_broker_epoch(epoch);
  const uint64_t early = other_stream.Send(request);
  other_stream.Heartbeat(epoch);
  const uint64_t later = other_stream.Send(request);
  Run();
  ASSERT_NE(other_stream.Answer(early), nullptr);
  EXPECT_EQ(other_stream.Answer(early)->alter_partitions().error_code(),
            static_cast<int32_t>(ErrorCode::kStaleControllerEpoch));
  ASSERT_NE(other_stream.Answer(later), nullptr);
  EXPECT_EQ(other_stream.Answer(later)->alter_partitions().error_code(), 0);
}

TEST_F(ControllerNodeTest, SilentBrokerIsFencedAfterItsSession) {
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  Run(milliseconds(2800));
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
  Run(milliseconds(500));
  EXPECT_TRUE(Image()->FindBroker(BrokerId(1))->fenced);
}

TEST_F(ControllerNodeTest, BrokenStreamAndRefusedDialFenceAtOnce) {
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  quorum_.ports(1).refused = true;
  broker.Break();
  Run(milliseconds(100));
  EXPECT_TRUE(Image()->FindBroker(BrokerId(1))->fenced);
  ASSERT_EQ(quorum_.ports(1).probed.size(), 1U);
  EXPECT_EQ(quorum_.ports(1).probed[0], (HostPort{"p", 1}));
}

TEST_F(ControllerNodeTest, ListenerThatOutlivesTheStreamIsAskedAgain) {
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  broker.Break();
  Run(milliseconds(50));
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
  quorum_.ports(1).refused = true;
  Run(milliseconds(300));
  EXPECT_TRUE(Image()->FindBroker(BrokerId(1))->fenced);
}

TEST_F(ControllerNodeTest, BrokerThatCameBackIsNotAskedAgain) {
  FakeBroker broker(quorum_.active(), 1);
  const int64_t epoch = Join(broker);
  broker.Break();
  Run(milliseconds(50));
  FakeBroker again(quorum_.active(), 1);
  again.Heartbeat(epoch);
  quorum_.ports(1).refused = true;
  Run(milliseconds(300));
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
  EXPECT_EQ(quorum_.ports(1).probed.size(), 1U);
}

TEST_F(ControllerNodeTest, BrokenStreamAloneWaitsForTheSession) {
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  broker.Break();
  Run(milliseconds(1000));
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
}

TEST_F(ControllerNodeTest, RefusalAboutAnEarlierIncarnationFencesNobody) {
  FakeBroker broker(quorum_.active(), 1);
  const int64_t epoch = Join(broker);
  quorum_.ports(1).refused = true;
  broker.Break();
  FakeBroker restarted(quorum_.active(), 1);
  restarted.Register(epoch, 2);
  Run();
  restarted.Heartbeat(Image()->FindBroker(BrokerId(1))->epoch.value());
  Run();
  EXPECT_GT(Image()->FindBroker(BrokerId(1))->epoch.value(), epoch);
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
}

TEST_F(ControllerNodeTest, NewerStreamOfABrokerSilencesTheOlder) {
  FakeBroker old_stream(quorum_.active(), 1);
  const int64_t epoch = Join(old_stream);
  FakeBroker new_stream(quorum_.active(), 1);
  new_stream.Heartbeat(epoch);
  Run();
  EXPECT_TRUE(old_stream.sender().closed);
  const LogIndex index = Image()->index();
  old_stream.CreateTopic("late", 1, 1);
  Run();
  EXPECT_EQ(Image()->index(), index);
  quorum_.ports(1).refused = true;
  old_stream.Break();
  Run();
  EXPECT_TRUE(quorum_.ports(1).probed.empty());
}

TEST_F(ControllerNodeTest, RefusedRegistrationDoesNotDisturbTheBrokersStream) {
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  FakeBroker impostor(quorum_.active(), 1);
  const uint64_t request = impostor.Register(/*last_epoch=*/1000, /*incarnation=*/9);
  Run();
  ASSERT_NE(impostor.Answer(request), nullptr);
  EXPECT_EQ(impostor.Answer(request)->register_().error_code(),
            static_cast<int32_t>(ErrorCode::kUnprovenDirectory));
  EXPECT_FALSE(broker.sender().closed);
}

TEST_F(ControllerNodeTest, EmptyRequestClosesItsStreamOnly) {
  FakeBroker broker(quorum_.active(), 1);
  FakeBroker other(quorum_.active(), 2);
  broker.Send(message::BrokerToController());
  Run();
  EXPECT_TRUE(broker.sender().closed);
  EXPECT_GT(Join(other), 0);
}

TEST_F(ControllerNodeTest, QuorumDescribesItself) {
  FakeBroker broker(quorum_.active(), 1);
  message::BrokerToController request;
  request.mutable_admin()->mutable_describe_quorum();
  const uint64_t id = broker.Send(request);
  Run();
  ASSERT_NE(broker.Answer(id), nullptr);
  const message::DescribeQuorumResult& result = broker.Answer(id)->admin().describe_quorum();
  EXPECT_EQ(result.leader_id(), 1);
  ASSERT_EQ(result.voters_size(), 1);
  EXPECT_EQ(result.voters(0).match_index(), Image()->index().value());
}

TEST_F(ControllerNodeTest, StateSurvivesARestart) {
  {
    FakeBroker broker(quorum_.active(), 1);
    Join(broker);
    broker.CreateTopic("a", 2, 1);
    Run();
  }
  const MetadataImage before = *Image();
  quorum_.StopNode(1);
  quorum_.StartNode(1);
  Run(seconds(5));
  EXPECT_TRUE(Image()->topics() == before.topics());
  EXPECT_EQ(Image()->FindBroker(BrokerId(1))->epoch, before.FindBroker(BrokerId(1))->epoch);
  FakeBroker follower(quorum_.active(), 1);
  follower.Subscribe(before.index().value() + 1);
  Run();
  EXPECT_FALSE(follower.sender().closed);
}

class SnapshotTest : public ControllerNodeTest {};

TEST_F(SnapshotTest, SubscriberThatIsTooOldGetsASnapshot) {
  quorum_.snapshot_entries = 20;
  quorum_.StopNode(1);
  quorum_.StartNode(1);
  Run(seconds(5));
  FakeBroker broker(quorum_.active(), 1);
  const int64_t epoch = Join(broker);
  for (int i = 0; i < 60; ++i) {
    broker.CreateTopic("t" + std::to_string(i), 1, 1);
    broker.Heartbeat(epoch);
    Run();
  }
  // Only what is behind the snapshot is in memory after a restart.
  quorum_.StopNode(1);
  quorum_.StartNode(1);
  Run(seconds(5));
  EXPECT_GT(quorum_.active().inspector().raft().log().snapshot_index(), LogIndex(20));
  FakeBroker late(quorum_.active(), 2);
  late.Subscribe(1);
  Run();
  ASSERT_FALSE(late.sender().sent.empty());
  EXPECT_TRUE(late.sender().sent.front().metadata().has_snapshot());
  EXPECT_TRUE(late.Followed() == *Image());
}

class ThreeControllersTest : public ControllerNodeTest {
 protected:
  ThreeControllersTest() : ControllerNodeTest(3) {}
  int Other(int id) const { return id % 3 + 1; }
};

TEST_F(ThreeControllersTest, FollowersPointToTheLeader) {
  const int leader = quorum_.Active();
  ASSERT_NE(leader, 0);
  FakeBroker broker(quorum_.node(Other(leader)), 1);
  const uint64_t request = broker.Register();
  Run();
  ASSERT_NE(broker.Answer(request), nullptr);
  EXPECT_EQ(broker.Answer(request)->not_controller().leader_id(), leader);
}

TEST_F(ThreeControllersTest, AllVotersReachTheSameImage) {
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  broker.CreateTopic("a", 4, 1);
  Run(seconds(1));
  for (int id = 1; id <= 3; ++id) {
    EXPECT_TRUE(*quorum_.node(id).inspector().image() == *Image()) << id;
  }
}

TEST_F(ThreeControllersTest, NextLeaderGoesOnFromWhatIsCommitted) {
  const int first = quorum_.Active();
  FakeBroker broker(quorum_.active(), 1);
  const int64_t epoch = Join(broker);
  const uint64_t created = broker.CreateTopic("a", 2, 1);
  Run();
  ASSERT_NE(broker.Answer(created), nullptr);
  quorum_.StopNode(first);
  Run(seconds(5));
  ASSERT_NE(quorum_.Active(), 0);
  ASSERT_NE(quorum_.Active(), first);
  EXPECT_NE(Image()->FindTopicByName("a"), nullptr);
  EXPECT_EQ(Image()->FindBroker(BrokerId(1))->epoch.value(), epoch);
}

// C20 zombie-controller: cut off, it answers nothing, publishes nothing and forgets what it
// decided.
TEST_F(ThreeControllersTest, CutOffLeaderTellsNothingAndThrowsItsDecisionsAway) {
  const int old_leader = quorum_.Active();
  FakeBroker broker(quorum_.active(), 1);
  broker.Subscribe(1);
  Join(broker);
  quorum_.Isolate(old_leader);
  const uint64_t create = broker.CreateTopic("lost", 1, 1);
  message::BrokerToController exists;
  exists.mutable_admin()->mutable_delete_topic()->set_name("unknown");
  const uint64_t read = broker.Send(exists);
  Run(milliseconds(100));
  EXPECT_EQ(broker.Followed().FindTopicByName("lost"), nullptr);
  Run(seconds(5));
  EXPECT_EQ(broker.Answer(create), nullptr);
  EXPECT_EQ(broker.Answer(read), nullptr);
  EXPECT_TRUE(broker.sender().closed);
  EXPECT_FALSE(quorum_.IsActive(old_leader));
  quorum_.Heal();
  Run(seconds(5));
  ASSERT_NE(quorum_.Active(), 0);
  EXPECT_EQ(Image()->FindTopicByName("lost"), nullptr);
  EXPECT_TRUE(*quorum_.node(old_leader).inspector().image() == *Image());
}

TEST_F(ThreeControllersTest, BrokerThatDiedWithTheLeaderIsFencedAtOnce) {
  const int first = quorum_.Active();
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  for (int id = 1; id <= 3; ++id) quorum_.ports(id).refused = true;
  quorum_.StopNode(first);
  while (quorum_.Active() == 0) Run(milliseconds(10));
  Run(milliseconds(50));
  EXPECT_TRUE(Image()->FindBroker(BrokerId(1))->fenced);
}

TEST_F(ThreeControllersTest, NewLeaderGivesBrokersAWholeSession) {
  const int first = quorum_.Active();
  FakeBroker broker(quorum_.active(), 1);
  Join(broker);
  Run(milliseconds(1500));
  quorum_.StopNode(first);
  while (quorum_.Active() == 0) Run(milliseconds(10));
  Run(milliseconds(2500));
  EXPECT_FALSE(Image()->FindBroker(BrokerId(1))->fenced);
  Run(milliseconds(1000));
  EXPECT_TRUE(Image()->FindBroker(BrokerId(1))->fenced);
}

}  // namespace
}  // namespace quipu
