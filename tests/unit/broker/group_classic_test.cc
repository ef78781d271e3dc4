// Goal: the classic group protocol through whole brokers: requests that wait are answered when
// others come, when what they say is durable, when the coordinator loses its place, and at
// shutdown. Method: brokers on virtual time, clients by hand.
#include <gtest/gtest.h>

#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeWorld;

// What a request got, or is still to get.
template <typename Answer>
using Slot = std::shared_ptr<std::optional<Answer>>;

class ClassicGroupsTest : public ::testing::Test {
 protected:
  // The broker that coordinates "g", once there is one.
  int FindClassicCoordinator(int ask = 1) {
    message::FindCoordinatorRequest request;
    request.set_group_id("g");
    for (int i = 0; i < 200; ++i) {
      const auto answer =
          world_->Call<message::FindCoordinatorRequest, message::FindCoordinatorResponse>(
              ask, &BrokerNode::FindCoordinator, request);
      if (answer.error_code() == 0 && world_->machine(answer.broker_id()).running()) {
        // It may be loading still.
        if (Beat(answer.broker_id(), "nobody", 0) == ErrorCode::kUnknownMemberId) {
          return answer.broker_id();
        }
      }
      world_->RunFor(milliseconds(50));
    }
    ADD_FAILURE() << "no coordinator";
    return 1;
  }

  Slot<ClassicJoinAnswer> Join(int broker, const std::string& client,
                               const std::string& member_id = "") {
    ClassicJoinRequest request;
    request.group_id = "g";
    request.member_id = member_id;
    request.client_id = client;
    request.protocol_type = "consumer";
    request.protocols = {{.name = "range", .metadata = client}};
    request.session_timeout_ms = 10000;
    request.rebalance_timeout_ms = 30000;
    auto slot = std::make_shared<std::optional<ClassicJoinAnswer>>();
    world_->node(broker).JoinGroup(request, [slot](ClassicJoinAnswer answer) {
      EXPECT_FALSE(slot->has_value());
      *slot = std::move(answer);
    });
    return slot;
  }

  Slot<ClassicSyncAnswer> Sync(int broker, const ClassicJoinAnswer& joined,
                               std::vector<std::pair<std::string, std::string>> assignments = {}) {
    ClassicSyncRequest request;
    request.group_id = "g";
    request.member_id = joined.member_id;
    request.generation = joined.generation;
    request.assignments = std::move(assignments);
    auto slot = std::make_shared<std::optional<ClassicSyncAnswer>>();
    world_->node(broker).SyncGroup(request, [slot](ClassicSyncAnswer answer) {
      EXPECT_FALSE(slot->has_value());
      *slot = std::move(answer);
    });
    return slot;
  }

  ErrorCode Beat(int broker, const std::string& member_id, int32_t generation) {
    ClassicHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member_id;
    request.generation = generation;
    return world_
        ->Call<ClassicHeartbeatRequest, ClassicHeartbeatAnswer>(
            broker, &BrokerNode::ClassicHeartbeat, request)
        .error;
  }

  message::ListGroupsResponse List(int broker) {
    return world_->Call<message::ListGroupsRequest, message::ListGroupsResponse>(
        broker, &BrokerNode::ListGroups, {});
  }

  // Two members of a stable group, the leader first.
  std::vector<ClassicJoinAnswer> StablePair(int broker) {
    const auto a = Join(broker, "a");
    const auto b = Join(broker, "b");
    world_->RunUntil([&] { return a->has_value() && b->has_value(); });
    const auto b_synced = Sync(broker, **b);
    const auto a_synced =
        Sync(broker, **a, {{(*a)->member_id, "for a"}, {(*b)->member_id, "for b"}});
    world_->RunUntil([&] { return a_synced->has_value() && b_synced->has_value(); });
    EXPECT_EQ((*b_synced)->error, ErrorCode::kNone);
    EXPECT_EQ((*a_synced)->assignment, "for a");
    EXPECT_EQ((*b_synced)->assignment, "for b");
    return {**a, **b};
  }

  void Start(int brokers) {
    world_ = std::make_unique<FakeWorld>(brokers);
    coordinator_ = FindClassicCoordinator();
  }

  std::unique_ptr<FakeWorld> world_;
  int coordinator_ = 1;
};

TEST_F(ClassicGroupsTest, MembersWaitForEachOtherAndGetTheirParts) {
  Start(1);
  const auto a = Join(1, "a");
  world_->RunFor(seconds(2));
  EXPECT_FALSE(a->has_value());
  ASSERT_EQ(List(1).groups_size(), 1);
  EXPECT_EQ(List(1).groups(0).state(), "PreparingRebalance");
  EXPECT_EQ(List(1).groups(0).kind(), "classic");
  world_->RunUntil([&] { return a->has_value(); });
  EXPECT_EQ((*a)->members.size(), 1U);
}

TEST_F(ClassicGroupsTest, SessionsThatEndCloseTogetherEndInTime) {
  Start(1);
  const auto pair = StablePair(1);
  EXPECT_EQ(Beat(1, pair[0].member_id, pair[0].generation), ErrorCode::kNone);
  world_->RunFor(milliseconds(3));
  EXPECT_EQ(Beat(1, pair[1].member_id, pair[1].generation), ErrorCode::kNone);
  world_->RunFor(seconds(10) + milliseconds(2));
  ASSERT_EQ(List(1).groups_size(), 1);
  EXPECT_EQ(List(1).groups(0).state(), "Empty");
}

TEST_F(ClassicGroupsTest, CommitsFollowTheGeneration) {
  Start(1);
  const TopicId topic = world_->CreateTopic("payments", 1);
  const auto pair = StablePair(1);
  message::OffsetCommitRequest request;
  request.set_group_id("g");
  request.set_member_id(pair[0].member_id);
  request.set_member_epoch(pair[0].generation);
  auto* partition = request.add_partitions();
  partition->set_topic_id(topic.ToBytes());
  partition->set_offset(42);
  const auto commit = [&] {
    return world_->Call<message::OffsetCommitRequest, message::OffsetCommitResponse>(
        1, &BrokerNode::OffsetCommit, request);
  };
  EXPECT_EQ(commit().partitions(0).error_code(), 0);
  request.set_member_epoch(pair[0].generation - 1);
  EXPECT_EQ(commit().error_code(), testing::Wire(ErrorCode::kIllegalGeneration));
}

TEST_F(ClassicGroupsTest, AnAssignmentIsNotToldBeforeItIsDurable) {
  Start(1);
  const auto a = Join(1, "a");
  world_->RunUntil([&] { return a->has_value(); });
  world_->machine(1).writer->Pause();
  const auto synced = Sync(1, **a, {{(*a)->member_id, "for a"}});
  world_->RunFor(seconds(1));
  EXPECT_FALSE(synced->has_value());
  world_->machine(1).writer->Resume();
  world_->RunUntil([&] { return synced->has_value(); });
  EXPECT_EQ((*synced)->assignment, "for a");
}

TEST_F(ClassicGroupsTest, AnOutcomeThatNobodyKnowsIsToldAsNotAvailable) {
  Start(1);
  const auto a = Join(1, "a");
  world_->RunUntil([&] { return a->has_value(); });
  world_->machine(1).writer->Pause();
  const auto synced = Sync(1, **a, {{(*a)->member_id, "for a"}});
  world_->RunFor(seconds(35));  // request.timeout.ms and a little
  ASSERT_TRUE(synced->has_value());
  EXPECT_EQ((*synced)->error, ErrorCode::kCoordinatorNotAvailable);
  world_->machine(1).writer->Resume();
}

TEST_F(ClassicGroupsTest, SilentMembersAreMissed) {
  Start(1);
  const auto pair = StablePair(1);
  for (int i = 0; i < 3; ++i) {
    world_->RunFor(seconds(5));
    Beat(1, pair[0].member_id, pair[0].generation);
  }
  EXPECT_EQ(Beat(1, pair[0].member_id, pair[0].generation), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(Beat(1, pair[1].member_id, pair[1].generation), ErrorCode::kUnknownMemberId);
  world_->RunFor(seconds(15));
  EXPECT_EQ(List(1).groups(0).state(), "Empty");
}

TEST_F(ClassicGroupsTest, AStableGroupGoesOnUnderTheNextCoordinator) {
  Start(3);
  const auto pair = StablePair(coordinator_);
  world_->machine(coordinator_).Crash();
  const int ask = coordinator_ == 1 ? 2 : 1;
  const int next = FindClassicCoordinator(ask);
  EXPECT_NE(next, coordinator_);
  EXPECT_EQ(Beat(next, pair[0].member_id, pair[0].generation), ErrorCode::kNone);
  const auto again = Sync(next, pair[1]);
  world_->RunUntil([&] { return again->has_value(); });
  EXPECT_EQ((*again)->assignment, "for b");
}

TEST_F(ClassicGroupsTest, WhoWaitsIsToldWhenTheCoordinatorLosesItsPlace) {
  Start(3);
  const auto waits = Join(coordinator_, "a");
  world_->RunFor(milliseconds(100));
  bool done = false;
  world_->node(coordinator_).ControlledShutdown(seconds(20), [&] { done = true; });
  world_->RunUntil([&] { return waits->has_value() && done; });
  EXPECT_EQ((*waits)->error, ErrorCode::kNotCoordinator);
}

TEST_F(ClassicGroupsTest, AShutdownAnswersWhoWaits) {
  Start(1);
  const auto waits = Join(1, "a");
  world_->RunFor(milliseconds(100));
  bool done = false;
  world_->node(1).ControlledShutdown(seconds(1), [&] { done = true; });
  world_->RunUntil([&] { return waits->has_value() && done; });
  EXPECT_NE((*waits)->error, ErrorCode::kNone);
}

TEST_F(ClassicGroupsTest, ABrokerThatIsNotTheCoordinatorSaysSo) {
  Start(3);
  const int other = coordinator_ == 1 ? 2 : 1;
  EXPECT_EQ(Beat(other, "a", 1), ErrorCode::kNotCoordinator);
  ClassicLeaveRequest request;
  EXPECT_EQ(
      (world_
           ->Call<ClassicLeaveRequest, ClassicLeaveAnswer>(other, &BrokerNode::LeaveGroup, request)
           .error),
      ErrorCode::kInvalidGroupId);
}

}  // namespace
}  // namespace quipu
