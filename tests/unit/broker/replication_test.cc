// Goal: several brokers replicate over replica streams: acknowledgement, catching up, failover.
#include <gtest/gtest.h>

#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeWorld;
using testing::MakeBatch;
using testing::ValuesIn;

int LeaderOf(FakeWorld& world, TopicId topic, int partition = 0) {
  return world.Partition(topic, partition).leader.value();
}

const PartitionCore* CoreOn(FakeWorld& world, int broker, TopicId topic, int partition = 0) {
  if (!world.machine(broker).running()) return nullptr;
  return world.node(broker).inspector().FindPartition(world.Partition(topic, partition).uid);
}

// Produces to whoever leads, again until it is answered without an error.
void ProduceUntilAcknowledged(FakeWorld& world, TopicId topic, const Bytes& batch) {
  for (int i = 0; i < 200; ++i) {
    const int leader = LeaderOf(world, topic);
    if (leader > 0 && world.machine(leader).running() &&
        world.Produce(leader, topic, 0, batch).error == ErrorCode::kNone) {
      return;
    }
    world.RunFor(milliseconds(100));
  }
  FAIL() << "never acknowledged";
}

TEST(Replication, AnAcknowledgedBatchIsDurableOnEveryMemberOfTheIsr) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = LeaderOf(world, topic);
  ASSERT_EQ(world.Produce(leader, topic, 0, MakeBatch(0, 3)).error, ErrorCode::kNone);
  for (int id = 1; id <= 3; ++id) {
    EXPECT_EQ(CoreOn(world, id, topic)->durable_end_offset(), Offset(3)) << id;
  }
}

TEST(Replication, AFollowerThatDoesNotSyncHoldsTheAcknowledgementBack) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = LeaderOf(world, topic);
  const int follower = leader == 1 ? 2 : 1;
  world.machine(follower).writer->Pause();
  std::optional<ProduceResponse> answer;
  ProduceRequest request;
  request.partitions.push_back(
      {.topic_id = topic, .partition = PartitionIndex(0), .records = MakeBatch(0, 1)});
  world.node(leader).Produce(request, [&](ProduceResponse response) { answer = response; });
  world.RunFor(milliseconds(500));
  EXPECT_FALSE(answer.has_value());
  world.machine(follower).writer->Resume();
  world.RunUntil([&] { return answer.has_value(); });
  EXPECT_EQ(answer->partitions.at(0).error, ErrorCode::kNone);
}

TEST(Replication, AProduceToAFollowerNamesTheLeader) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = LeaderOf(world, topic);
  const int follower = leader == 1 ? 2 : 1;
  const auto result = world.Produce(follower, topic, 0, MakeBatch(0, 1));
  EXPECT_EQ(result.error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(result.leader_id, BrokerId(leader));
}

TEST(Replication, NothingAcknowledgedIsLostWhenTheLeaderDies) {
  FakeWorld world(3, 2);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  std::vector<std::string> expected;
  for (int i = 0; i < 10; ++i) {
    ProduceUntilAcknowledged(world, topic, MakeBatch(i, 1, 9, 0, i));
    expected.push_back("v" + std::to_string(i));
    if (i == 4) world.machine(LeaderOf(world, topic)).Crash();
  }
  const int leader = LeaderOf(world, topic);
  EXPECT_EQ(ValuesIn(world.FetchOne(leader, topic, 0, 0).partitions.at(0).batches), expected);
}

TEST(Replication, ARestartedReplicaCatchesUpAndRejoinsTheIsr) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = LeaderOf(world, topic);
  const int follower = leader == 1 ? 2 : 1;
  ASSERT_EQ(world.Produce(leader, topic, 0, MakeBatch(0, 1)).error, ErrorCode::kNone);
  world.machine(follower).Crash();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 2; });
  for (int i = 1; i < 6; ++i) ProduceUntilAcknowledged(world, topic, MakeBatch(i, 1));
  world.machine(follower).Boot();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 3; });
  EXPECT_EQ(CoreOn(world, follower, topic)->durable_end_offset(), Offset(6));
}

TEST(Replication, AReplicaFarBehindIsFedFromTheDiskInSmallMessages) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = LeaderOf(world, topic);
  const int follower = leader == 1 ? 2 : 1;
  world.machine(follower).Crash();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 2; });
  for (int i = 0; i < 12; ++i) {
    ProduceUntilAcknowledged(world, topic, MakeBatch(i, 1, -1, 0, 0, 1000, 400000));
  }
  // The leader's memory is gone too.
  world.machine(leader).Crash();
  world.machine(leader).Boot();
  world.machine(follower).Boot();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 3; });
  EXPECT_EQ(CoreOn(world, follower, topic)->durable_end_offset(), Offset(12));
}

TEST(Replication, AnUnsyncedTailOfADeadLeaderIsCutOff) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int old_leader = LeaderOf(world, topic);
  ASSERT_EQ(world.Produce(old_leader, topic, 0, MakeBatch(0, 1)).error, ErrorCode::kNone);
  // The leader syncs a batch that reaches no follower, and dies.
  for (auto& weak : world.machine(old_leader).follow_streams) {
    if (auto stream = weak.lock()) stream->latency = seconds(30);
  }
  ProduceRequest request;
  request.partitions.push_back(
      {.topic_id = topic, .partition = PartitionIndex(0), .records = MakeBatch(100, 2)});
  world.node(old_leader).Produce(request, [](ProduceResponse) {});
  world.RunFor(milliseconds(50));
  ASSERT_EQ(CoreOn(world, old_leader, topic)->durable_end_offset(), Offset(3));
  world.machine(old_leader).Crash();
  world.RunUntil(
      [&] { return LeaderOf(world, topic) > 0 && LeaderOf(world, topic) != old_leader; });
  ProduceUntilAcknowledged(world, topic, MakeBatch(1, 1));
  world.machine(old_leader).Boot();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 3; });
  const int leader = LeaderOf(world, topic);
  EXPECT_EQ(ValuesIn(world.FetchOne(leader, topic, 0, 0).partitions.at(0).batches),
            (std::vector<std::string>{"v0", "v1"}));
  EXPECT_EQ(CoreOn(world, old_leader, topic)->log_end_offset(), Offset(2));
  world.RunFor(seconds(30));  // the slow streams end too
}

TEST(Replication, AStreamOfAnotherClusterIsRefused) {
  FakeWorld world(2);
  auto stream = std::make_shared<testing::FollowStream>(world.time);
  std::optional<LeaderToReplica> answer;
  stream->client.on_message = [&](LeaderToReplica message) { answer = std::move(message); };
  stream->server = world.node(1).AcceptReplicaStream(stream->ServerEnd());
  ReplicaToLeader open;
  open.has_open = true;
  open.open = {.cluster_id = Uuid(1, 1),
               .broker_id = BrokerId(2),
               .broker_epoch = world.node(2).inspector().broker_epoch(),
               .leader_id = BrokerId(1)};
  stream->ClientEnd()->Send(open);
  world.RunFor(milliseconds(10));
  EXPECT_TRUE(stream->closed());
}

TEST(Replication, AStreamOfAnEndedRegistrationIsRefused) {
  FakeWorld world(2);
  auto stream = std::make_shared<testing::FollowStream>(world.time);
  stream->client.on_message = [](LeaderToReplica) {};
  stream->server = world.node(1).AcceptReplicaStream(stream->ServerEnd());
  ReplicaToLeader open;
  open.has_open = true;
  open.open = {.cluster_id = world.cluster,
               .broker_id = BrokerId(2),
               .broker_epoch = world.node(2).inspector().broker_epoch() - 1,
               .leader_id = BrokerId(1)};
  stream->ClientEnd()->Send(open);
  world.RunFor(milliseconds(10));
  EXPECT_TRUE(stream->closed());
}

TEST(Replication, ManyPartitionsOverUnequalShardCountsAllReplicate) {
  FakeWorld world(3, 3);
  const TopicId topic = world.CreateTopic("payments", 9, 3);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(world.Produce(LeaderOf(world, topic, i), topic, i, MakeBatch(i, 2)).error,
              ErrorCode::kNone);
  }
  world.RunFor(milliseconds(100));
  for (int i = 0; i < 9; ++i) {
    for (int id = 1; id <= 3; ++id) {
      EXPECT_EQ(CoreOn(world, id, topic, i)->high_watermark(), Offset(2)) << i << " on " << id;
    }
  }
}

TEST(Replication, ASmallCreditSlowsDownButNeverStops) {
  FakeWorld world(3, 2);
  for (int id = 1; id <= 3; ++id) {
    world.machine(id).Crash();
    world.machine(id).config.replica_credit_bytes = 1000;
    world.machine(id).Boot();
  }
  world.RunFor(seconds(2));
  const TopicId topic = world.CreateTopic("payments", 3, 3);
  for (int i = 0; i < 30; ++i) {
    const int leader = LeaderOf(world, topic, i % 3);
    // Each batch alone is more than the whole credit.
    ASSERT_EQ(world.Produce(leader, topic, i % 3, MakeBatch(i, 1, -1, 0, 0, 1000, 3000)).error,
              ErrorCode::kNone);
  }
  EXPECT_EQ(world.Partition(topic, 0).isr.size(), 3U);
}

TEST(Replication, AControlledShutdownMovesTheLeadersFirst) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 3, 3);
  const int leaving = LeaderOf(world, topic, 0);
  bool done = false;
  world.node(leaving).ControlledShutdown(seconds(20), [&] { done = true; });
  world.RunUntil([&] { return done; }, seconds(5));
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(LeaderOf(world, topic, i), leaving);
    EXPECT_GT(LeaderOf(world, topic, i), 0);
  }
}

}  // namespace
}  // namespace quipu
