// Goal: consumer groups through whole brokers: finding the coordinator, offsets, failover,
// snapshots.
#include <gtest/gtest.h>

#include "broker/group/group_router.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeWorld;
using testing::Wire;

// The coordinator's broker id, asked until there is one.
int Coordinator(FakeWorld& world, const std::string& group, int ask = 1) {
  message::FindCoordinatorRequest request;
  request.set_group_id(group);
  for (int i = 0; i < 200; ++i) {
    const auto answer =
        world.Call<message::FindCoordinatorRequest, message::FindCoordinatorResponse>(
            ask, &BrokerNode::FindCoordinator, request);
    if (answer.error_code() == 0 && world.machine(answer.broker_id()).running()) {
      return answer.broker_id();
    }
    EXPECT_TRUE(answer.error_code() == 0 ||
                answer.error_code() == Wire(ErrorCode::kCoordinatorNotAvailable));
    world.RunFor(milliseconds(50));
  }
  ADD_FAILURE() << "no coordinator";
  return 1;
}

message::OffsetCommitResponse CommitOnce(FakeWorld& world, int broker, const std::string& group,
                                         TopicId topic, int64_t offset,
                                         const std::string& metadata = "") {
  message::OffsetCommitRequest request;
  request.set_group_id(group);
  request.set_member_epoch(-1);
  auto* partition = request.add_partitions();
  partition->set_topic_id(topic.ToBytes());
  partition->set_offset(offset);
  partition->set_leader_epoch(-1);
  partition->set_metadata(metadata);
  return world.Call<message::OffsetCommitRequest, message::OffsetCommitResponse>(
      broker, &BrokerNode::OffsetCommit, request);
}

// Commits until it is answered without an error, as a client would.
void Commit(FakeWorld& world, const std::string& group, TopicId topic, int64_t offset, int ask = 1,
            const std::string& metadata = "") {
  for (int i = 0; i < 200; ++i) {
    const int broker = Coordinator(world, group, ask);
    const auto answer = CommitOnce(world, broker, group, topic, offset, metadata);
    if (answer.error_code() == 0) {
      EXPECT_EQ(answer.partitions(0).error_code(), 0);
      return;
    }
    world.RunFor(milliseconds(50));
  }
  ADD_FAILURE() << "never committed";
}

int64_t Committed(FakeWorld& world, const std::string& group, TopicId topic, int ask = 1) {
  message::OffsetFetchRequest request;
  request.set_group_id(group);
  request.set_member_epoch(-1);
  auto* wanted = request.add_partitions();
  wanted->set_topic_id(topic.ToBytes());
  wanted->add_partitions(0);
  for (int i = 0; i < 200; ++i) {
    const auto answer = world.Call<message::OffsetFetchRequest, message::OffsetFetchResponse>(
        Coordinator(world, group, ask), &BrokerNode::OffsetFetch, request);
    if (answer.error_code() == 0) return answer.partitions(0).offset();
    world.RunFor(milliseconds(50));
  }
  ADD_FAILURE() << "never answered";
  return -2;
}

TEST(GroupPartition, IsTheHashOfJavasString) {
  // "abc".hashCode() is 96354; "polygenelubricants".hashCode() is the smallest int.
  EXPECT_EQ(GroupPartition("abc", 50), PartitionIndex(96354 % 50));
  EXPECT_EQ(GroupPartition("polygenelubricants", 50), PartitionIndex(0));
}

TEST(Groups, TheOffsetsTopicIsMadeWhenSomebodyAsks) {
  FakeWorld world;
  EXPECT_EQ(world.controller.image().FindTopicByName("__consumer_offsets"), nullptr);
  EXPECT_EQ(Coordinator(world, "g"), 1);
  const TopicImage* topic = world.controller.image().FindTopicByName("__consumer_offsets");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->partitions.size(), 8U);
}

TEST(Groups, TheOffsetsTopicOfACompleteClusterIsReplicatedAtOnce) {
  FakeWorld world(3);
  const Instant before = world.time.now();
  Coordinator(world, "g");
  EXPECT_LT(world.time.now() - before, seconds(1));
  const TopicImage* topic = world.controller.image().FindTopicByName("__consumer_offsets");
  EXPECT_EQ(world.Partition(topic->id, 0).replicas.size(), 3U);
}

TEST(Groups, TheOffsetsTopicOfASmallerClusterWaitsForItToBecomeComplete) {
  FakeWorld world(2);
  const Instant before = world.time.now();
  Coordinator(world, "g");
  EXPECT_GT(world.time.now() - before, seconds(2));
  const TopicImage* topic = world.controller.image().FindTopicByName("__consumer_offsets");
  EXPECT_EQ(world.Partition(topic->id, 0).replicas.size(), 2U);
}

TEST(Groups, ACommittedOffsetIsRead) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  EXPECT_EQ(Committed(world, "g", topic), -1);
  Commit(world, "g", topic, 42);
  EXPECT_EQ(Committed(world, "g", topic), 42);
}

TEST(Groups, ACommitIsNotAnsweredBeforeItIsDurable) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  Commit(world, "g", topic, 1);
  world.machine(1).writer->Pause();
  message::OffsetCommitRequest request;
  request.set_group_id("g");
  request.set_member_epoch(-1);
  auto* partition = request.add_partitions();
  partition->set_topic_id(topic.ToBytes());
  partition->set_offset(2);
  std::optional<message::OffsetCommitResponse> committed;
  world.node(1).OffsetCommit(request, [&](auto response) { committed = std::move(response); });
  message::OffsetFetchRequest fetch;
  fetch.set_group_id("g");
  fetch.set_member_epoch(-1);
  std::optional<message::OffsetFetchResponse> read;
  world.node(1).OffsetFetch(fetch, [&](auto response) { read = std::move(response); });
  world.RunFor(milliseconds(500));
  EXPECT_FALSE(committed.has_value());
  EXPECT_FALSE(read.has_value());  // it saw what is not committed yet
  world.machine(1).writer->Resume();
  world.RunUntil([&] { return committed.has_value() && read.has_value(); });
  EXPECT_EQ(committed->error_code(), 0);
  EXPECT_EQ(read->partitions(0).offset(), 2);
}

TEST(Groups, OffsetsSurviveARestart) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  Commit(world, "g", topic, 42);
  world.machine(1).Crash();
  world.machine(1).Boot();
  world.RunFor(seconds(1));
  EXPECT_EQ(Committed(world, "g", topic), 42);
}

TEST(Groups, OffsetsSurviveTheDeathOfTheCoordinator) {
  FakeWorld world(3, 2);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  Commit(world, "g", topic, 42);
  const int dead = Coordinator(world, "g");
  world.machine(dead).Crash();
  const int ask = dead == 1 ? 2 : 1;
  world.RunUntil([&] {
    const TopicImage* offsets = world.controller.image().FindTopicByName("__consumer_offsets");
    const auto index = GroupPartition("g", offsets->partitions.size());
    const BrokerId leader = world.controller.image().FindPartition(offsets->id, index)->leader;
    return leader != BrokerId(dead) && leader != kNoBroker;
  });
  world.RunFor(milliseconds(100));
  EXPECT_EQ(Committed(world, "g", topic, ask), 42);
  Commit(world, "g", topic, 43, ask);
  EXPECT_EQ(Committed(world, "g", topic, ask), 43);
}

TEST(Groups, AMemberIsGivenThePartitionsOfItsTopics) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 3);
  Coordinator(world, "g");
  message::GroupHeartbeatRequest request;
  request.set_group_id("g");
  request.set_member_id("member-1");
  request.add_subscribed_topics("payments");
  request.set_subscription_present(true);
  request.set_session_timeout_ms(10000);
  message::GroupHeartbeatResponse answer;
  for (int i = 0; i < 100; ++i) {
    answer = world.Call<message::GroupHeartbeatRequest, message::GroupHeartbeatResponse>(
        1, &BrokerNode::GroupHeartbeat, request);
    if (answer.error_code() == 0) break;
    world.RunFor(milliseconds(50));
  }
  ASSERT_EQ(answer.error_code(), 0) << answer.error_message();
  ASSERT_EQ(answer.assignment_size(), 1);
  EXPECT_EQ(answer.assignment(0).topic_id(), topic.ToBytes());
  EXPECT_EQ(answer.assignment(0).partitions_size(), 3);

  const auto groups = world.Call<message::ListGroupsRequest, message::ListGroupsResponse>(
      1, &BrokerNode::ListGroups, {});
  ASSERT_EQ(groups.groups_size(), 1);
  EXPECT_EQ(groups.groups(0).group_id(), "g");

  // Its session ends when it says nothing more.
  world.RunFor(seconds(15));
  message::DescribeGroupRequest describe;
  describe.set_group_id("g");
  const auto described = world.Call<message::DescribeGroupRequest, message::DescribeGroupResponse>(
      1, &BrokerNode::DescribeGroup, describe);
  EXPECT_EQ(described.members_size(), 0);
}

TEST(Groups, AnEmptyGroupIdIsRefused) {
  FakeWorld world;
  Coordinator(world, "g");
  world.RunFor(seconds(1));
  const auto answer = CommitOnce(world, 1, "", Uuid(1, 1), 1);
  EXPECT_EQ(answer.error_code(), Wire(ErrorCode::kInvalidGroupId));
}

TEST(Groups, ABrokerThatIsNotTheCoordinatorSaysSo) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int coordinator = Coordinator(world, "g");
  world.RunFor(seconds(1));
  const int other = coordinator == 1 ? 2 : 1;
  EXPECT_EQ(CommitOnce(world, other, "g", topic, 1).error_code(), Wire(ErrorCode::kNotCoordinator));
}

TEST(Groups, ClientsCannotWriteToTheOffsetsTopic) {
  FakeWorld world;
  Coordinator(world, "g");
  world.RunFor(seconds(1));
  const TopicId topic = world.controller.image().FindTopicByName("__consumer_offsets")->id;
  EXPECT_EQ(world.Produce(1, topic, 0, testing::MakeBatch(0, 1)).error, ErrorCode::kInvalidTopic);
}

TEST(Groups, ClientsCannotDeleteFromTheOffsetsTopic) {
  FakeWorld world;
  Coordinator(world, "g");
  world.RunFor(seconds(1));
  const TopicImage* topic = world.controller.image().FindTopicByName("__consumer_offsets");
  message::DeleteRecordsRequest request;
  auto* partition = request.add_partitions();
  partition->set_topic_id(topic->id.ToBytes());
  partition->set_partition(0);
  partition->set_before_offset(-1);
  const auto answer = world.Call<message::DeleteRecordsRequest, message::DeleteRecordsResponse>(
      1, &BrokerNode::DeleteRecords, request);
  EXPECT_EQ(answer.partitions(0).error_code(), Wire(ErrorCode::kInvalidTopic));
}

TEST(Groups, TheLogIsBoundedBySnapshotsAndLoadsFromOne) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  const std::string metadata(4000, 'm');
  Commit(world, "g", topic, 0);
  const int64_t commits = 2500;  // about 10 MB
  for (int64_t offset = 1; offset <= commits; ++offset) {
    ASSERT_EQ(CommitOnce(world, 1, "g", topic, offset, metadata).error_code(), 0);
  }
  const TopicImage* offsets = world.controller.image().FindTopicByName("__consumer_offsets");
  const auto index = GroupPartition("g", offsets->partitions.size());
  const PartitionUid uid = offsets->partitions[static_cast<size_t>(index.value())];
  const PartitionCore* core = world.node(1).inspector().FindPartition(uid);
  EXPECT_GT(core->log_start_offset(), Offset(1000));
  world.machine(1).Crash();
  world.machine(1).Boot();
  world.RunFor(seconds(1));
  EXPECT_EQ(Committed(world, "g", topic), commits);
}

}  // namespace
}  // namespace quipu
