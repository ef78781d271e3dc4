// Goal: a static member keeps its place over a restart, and of two processes with one instance id
// only the newer one counts (KIP-345, scenario G03). Method: the test plays both processes.
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {
namespace {

class GroupStaticTest : public GroupFixture {
 protected:
  GroupStaticTest() : topic_(topics_.Add("t", 1, 4)) {}

  static message::GroupHeartbeatRequest StaticJoin(const std::string& member,
                                                   const std::string& instance) {
    message::GroupHeartbeatRequest request = JoinRequest(member, {"t"});
    request.set_instance_id(instance);
    return request;
  }
  Answer JoinStatic(const std::string& member, const std::string& instance) {
    return Heartbeat(StaticJoin(member, instance));
  }
  Answer Say(const std::string& member, const std::string& instance, int32_t epoch) {
    message::GroupHeartbeatRequest request = Request(member, epoch);
    request.set_instance_id(instance);
    return Heartbeat(request);
  }
  ErrorCode CommitStatic(const std::string& member, const std::string& instance, int32_t epoch,
                         int32_t partition, int64_t offset) {
    message::OffsetCommitRequest request;
    request.set_group_id("g");
    request.set_member_id(member);
    request.set_member_epoch(epoch);
    request.set_instance_id(instance);
    auto* item = request.add_partitions();
    item->set_topic_id(topic_.ToBytes());
    item->set_partition(partition);
    item->set_offset(offset);
    return *ErrorCodeFromWire(
        Commit(core_.OffsetCommit(request, now_, topics_)).partitions(0).error_code());
  }
  int32_t GroupEpochNow() const { return core_.groups().at("g").membership.epoch.value(); }
  static ErrorCode ErrorOf(const Answer& answer) { return *ErrorCodeFromWire(answer.error_code()); }

  TopicId topic_;
};

TEST_F(GroupStaticTest, ARestartedMemberTakesItsPlaceWithoutARebalance) {
  std::map<std::string, Answer> members;
  members["a1"] = JoinStatic("a1", "a");
  members["b"] = Join("b");
  Settle(members);
  const int32_t epoch = GroupEpochNow();
  const Answer again = JoinStatic("a2", "a");
  ASSERT_EQ(ErrorOf(again), ErrorCode::kNone);
  EXPECT_EQ(again.SerializeAsString().size(), members["a1"].SerializeAsString().size());
  EXPECT_EQ(again.assignment(0).SerializeAsString(),
            members["a1"].assignment(0).SerializeAsString())
      << "all at once";
  EXPECT_EQ(again.member_epoch(), members["a1"].member_epoch());
  EXPECT_EQ(GroupEpochNow(), epoch);
  EXPECT_EQ(core_.groups().at("g").membership.members.size(), 2U);
  EXPECT_EQ(Follow("b", members["b"]).SerializeAsString(), members["b"].SerializeAsString());
  EXPECT_TRUE(Replayed().SameStateAs(core_));
}

// G03: while the first process still runs.
TEST_F(GroupStaticTest, G03TheOlderOfTwoProcessesIsFencedAndCommitsNothing) {
  const Answer first = JoinStatic("a1", "a");
  EXPECT_EQ(CommitStatic("a1", "a", first.member_epoch(), 0, 10), ErrorCode::kNone);
  const Answer second = JoinStatic("a2", "a");
  EXPECT_EQ(CommitStatic("a2", "a", second.member_epoch(), 0, 20), ErrorCode::kNone);
  // It was on its way since before the second process joined.
  EXPECT_EQ(CommitStatic("a1", "a", first.member_epoch(), 0, 15), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(FetchOffset(topic_, 0), 20) << "a committed offset went back";
  EXPECT_EQ(ErrorOf(Say("a1", "a", first.member_epoch())), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Say("a1", "a", -2)), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Say("a1", "a", -1)), ErrorCode::kFencedInstanceId);
  message::OffsetFetchRequest read;
  read.set_group_id("g");
  read.set_member_id("a1");
  read.set_instance_id("a");
  read.set_member_epoch(first.member_epoch());
  EXPECT_EQ(core_.OffsetFetch(read).response.error_code(),
            static_cast<int32_t>(ErrorCode::kFencedInstanceId));
  // The place is the second one's still.
  EXPECT_EQ(ErrorOf(Say("a2", "a", second.member_epoch())), ErrorCode::kNone);
}

TEST_F(GroupStaticTest, G03ALateJoinOfTheOlderProcessDoesNotTakeThePlaceBack) {
  JoinStatic("a1", "a");
  const Answer second = JoinStatic("a2", "a");
  EXPECT_EQ(ErrorOf(JoinStatic("a1", "a")), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Say("a2", "a", second.member_epoch())), ErrorCode::kNone);
  // Also for the coordinator's successor.
  core_ = Replayed();
  core_.OnLoaded(now_.mono);
  EXPECT_EQ(ErrorOf(JoinStatic("a1", "a")), ErrorCode::kFencedInstanceId);
}

TEST_F(GroupStaticTest, AMemberThatLeavesKeepsItsPlaceUntilItsSessionEnds) {
  std::map<std::string, Answer> members;
  members["a1"] = JoinStatic("a1", "a");
  members["b"] = Join("b");
  Settle(members);
  Advance(6000);
  members["b"] = Follow("b", members["b"]);
  EXPECT_EQ(Say("a1", "a", -2).member_epoch(), -2);
  Advance(6000);  // of a session of 10 s that began when it left
  members["b"] = Follow("b", members["b"]);
  EXPECT_EQ(Count(members["b"]), 2U);
  EXPECT_EQ(Count(JoinStatic("a2", "a")), 2U) << "in time";
  EXPECT_EQ(Say("a2", "a", -2).member_epoch(), -2);
  Advance(6000);
  members["b"] = Follow("b", members["b"]);
  Advance(6000);
  members["b"] = Follow("b", members["b"]);
  EXPECT_EQ(Count(members["b"]), 4U) << "too late";
  EXPECT_EQ(ErrorOf(Say("a2", "a", -2)), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupStaticTest, WhatAMemberWasToGiveUpIsFreeWhenItsProcessIsReplaced) {
  Answer first = JoinStatic("a1", "a");
  Answer b = Join("b");
  EXPECT_EQ(Count(b), 0U) << "a1 holds all four";
  first = Say("a1", "a", first.member_epoch());
  b = Follow("b", b);
  EXPECT_EQ(Count(b), 0U);
  const Answer second = JoinStatic("a2", "a");
  EXPECT_EQ(Count(second), 2U);
  b = Follow("b", b);
  EXPECT_EQ(Count(b), 2U);
}

TEST_F(GroupStaticTest, AnotherSubscriptionOfTheNewProcessIsARebalance) {
  topics_.Add("u", 2, 2);
  JoinStatic("a1", "a");
  const int32_t epoch = GroupEpochNow();
  message::GroupHeartbeatRequest join = StaticJoin("a2", "a");
  join.add_subscribed_topics("u");
  EXPECT_EQ(Count(Heartbeat(join)), 6U);
  EXPECT_GT(GroupEpochNow(), epoch);
}

TEST_F(GroupStaticTest, ReplacingAMemberNeedsNoRoomInAFullGroup) {
  GroupCoordinatorOptions options = TestOptions();
  options.members_per_group_max = 1;
  core_ = GroupCoordinatorCore(options);
  JoinStatic("a1", "a");
  EXPECT_EQ(ErrorOf(JoinStatic("a2", "a")), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(JoinStatic("b1", "b")), ErrorCode::kGroupMaxSizeReached);
}

TEST_F(GroupStaticTest, RefusesWhatMakesNoSense) {
  JoinStatic("a1", "a");
  Join("d");
  EXPECT_EQ(ErrorOf(Say("a1", "other", 1)), ErrorCode::kInvalidRequest) << "another instance id";
  EXPECT_EQ(ErrorOf(Say("d", "x", 0)), ErrorCode::kInvalidRequest) << "a dynamic member";
  EXPECT_EQ(ErrorOf(Heartbeat(Request("d", -2))), ErrorCode::kInvalidRequest) << "no instance id";
  EXPECT_EQ(ErrorOf(Heartbeat(Request("d", -3))), ErrorCode::kInvalidRequest);
  EXPECT_EQ(ErrorOf(JoinStatic("e", std::string(300, 'e'))), ErrorCode::kInvalidRequest);
  EXPECT_EQ(ErrorOf(Say("nobody", "nobody", -2)), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupStaticTest, TheInstanceIdIsDescribed) {
  JoinStatic("a1", "a");
  message::DescribeGroupRequest request;
  request.set_group_id("g");
  const auto group = core_.Describe(request, topics_).response;
  ASSERT_EQ(group.members_size(), 1);
  EXPECT_EQ(group.members(0).instance_id(), "a");
  EXPECT_EQ(group.members(0).client_host(), "host");
}

TEST_F(GroupStaticTest, AStoppedMemberIsTakenOutBeforeItsSessionEnds) {
  std::map<std::string, Answer> members;
  members["a1"] = JoinStatic("a1", "a");
  members["b"] = Join("b");
  Settle(members);
  EXPECT_EQ(Say("a1", "a", -2).member_epoch(), -2);
  message::RemoveMembersRequest request;
  request.set_group_id("g");
  for (const char* instance : {"a", "nobody", "a"}) request.add_instance_ids(instance);
  const auto response = Commit(core_.RemoveStaticMembers(request, now_, topics_));
  EXPECT_EQ(response.error_code(), 0);
  ASSERT_EQ(response.members_size(), 2) << "each once";
  EXPECT_EQ(response.members(0).instance_id(), "a");
  EXPECT_EQ(response.members(0).member_id(), "a1");
  EXPECT_EQ(response.members(0).error_code(), 0);
  EXPECT_EQ(response.members(1).instance_id(), "nobody");
  EXPECT_EQ(*ErrorCodeFromWire(response.members(1).error_code()), ErrorCode::kUnknownMemberId);
  members["b"] = Follow("b", members["b"]);
  EXPECT_EQ(Count(members["b"]), 4U) << "without waiting for the session";
  EXPECT_TRUE(Replayed().SameStateAs(core_));
  // A process that comes back joins as a new member.
  EXPECT_EQ(ErrorOf(JoinStatic("a2", "a")), ErrorCode::kNone);
}

TEST_F(GroupStaticTest, ARunningMemberThatIsTakenOutHearsOfItAndCommitsNothing) {
  const Answer first = JoinStatic("a1", "a");
  Join("b");
  EXPECT_EQ(CommitStatic("a1", "a", first.member_epoch(), 0, 10), ErrorCode::kNone);
  message::RemoveMembersRequest request;
  request.set_group_id("g");
  request.add_instance_ids("a");
  Commit(core_.RemoveStaticMembers(request, now_, topics_));
  EXPECT_EQ(ErrorOf(Say("a1", "a", first.member_epoch())), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(CommitStatic("a1", "a", first.member_epoch(), 0, 20), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(FetchOffset(topic_, 0), 10);
}

TEST_F(GroupStaticTest, RefusesToTakeOutWhatMakesNoSense) {
  JoinStatic("a1", "a");
  const auto error_of = [this](const std::string& group, const std::vector<std::string>& ids) {
    message::RemoveMembersRequest request;
    request.set_group_id(group);
    for (const std::string& id : ids) request.add_instance_ids(id);
    const auto result = core_.RemoveStaticMembers(request, now_, topics_);
    EXPECT_TRUE(result.records.empty());
    return *ErrorCodeFromWire(result.response.error_code());
  };
  EXPECT_EQ(error_of("", {"a"}), ErrorCode::kInvalidGroupId);
  EXPECT_EQ(error_of("other", {"a"}), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(error_of("g", {}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error_of("g", {"a", ""}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error_of("g", {std::string(300, 'a')}), ErrorCode::kInvalidRequest);
}

}  // namespace
}  // namespace quipu
