// Goal: members join, share, fall silent, are fenced and leave as KIP-848 says.
#include "base/planted_bug.h"
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {
namespace {

class GroupHeartbeatTest : public GroupFixture {
 protected:
  GroupHeartbeatTest() : topic_(topics_.Add("t", 1, 6)) {}
  static ErrorCode Error(const Answer& answer) { return *ErrorCodeFromWire(answer.error_code()); }
  TopicId topic_;
};

TEST_F(GroupHeartbeatTest, TheFirstMemberGetsEverythingAtOnce) {
  const Answer answer = Join("a");
  EXPECT_EQ(Error(answer), ErrorCode::kNone);
  EXPECT_EQ(answer.member_id(), "a");
  EXPECT_EQ(answer.member_epoch(), 1);
  EXPECT_TRUE(answer.assignment_present());
  EXPECT_EQ(Count(answer), 6U);
  EXPECT_GT(answer.heartbeat_interval_ms(), 0);
}

TEST_F(GroupHeartbeatTest, AQuietHeartbeatWritesNothing) {
  const Answer first = Join("a");
  const size_t records = log_.size();
  const Answer second = Follow("a", first);
  EXPECT_EQ(log_.size(), records);
  EXPECT_EQ(second.member_epoch(), 1);
  EXPECT_EQ(Count(second), 6U);
}

TEST_F(GroupHeartbeatTest, APartitionIsGivenOnlyAfterItsOwnerLetGo) {
  Answer a = Join("a");
  Answer b = Join("b");
  EXPECT_EQ(Count(b), 0U);  // nothing is free yet
  EXPECT_EQ(b.member_epoch(), 2);

  // "a" hears what to give up, but has not done so.
  message::GroupHeartbeatRequest still_owning = Request("a", 1);
  still_owning.set_owned_present(true);
  *still_owning.mutable_owned() = a.assignment();
  a = Heartbeat(still_owning);
  EXPECT_EQ(Count(a), 3U);
  EXPECT_EQ(a.member_epoch(), 1);
  EXPECT_EQ(Count(Follow("b", b)), 0U);

  // Saying nothing about what it owns is not giving up.
  EXPECT_EQ(Heartbeat(Request("a", 1)).member_epoch(), 1);
  EXPECT_EQ(Count(Follow("b", b)), 0U);

  a = Follow("a", a);
  EXPECT_EQ(a.member_epoch(), 2);
  EXPECT_EQ(Count(a), 3U);
  EXPECT_EQ(Count(Follow("b", b)), 3U);
}

TEST_F(GroupHeartbeatTest, ThreeMembersShareEvenly) {
  std::map<std::string, Answer> members;
  for (const char* member : {"a", "b", "c"}) members[member] = Join(member);
  Settle(members);
  for (const auto& [member, answer] : members) EXPECT_EQ(Count(answer), 2U) << member;
}

TEST_F(GroupHeartbeatTest, AMemberWaitsUnderAShorterIntervalWhilePartitionsMove) {
  const Answer a = Join("a");
  EXPECT_EQ(a.heartbeat_interval_ms(), std::min(TestOptions().heartbeat_interval_ms, 10000 / 3));
  EXPECT_EQ(Join("b").heartbeat_interval_ms(), TestOptions().heartbeat_interval_ms_rebalancing);
}

TEST_F(GroupHeartbeatTest, AMemberThatLeavesFreesItsPartitionsAtOnce) {
  std::map<std::string, Answer> members;
  for (const char* member : {"a", "b", "c"}) members[member] = Join(member);
  Settle(members);
  EXPECT_EQ(Leave("b").member_epoch(), -1);
  members.erase("b");
  Settle(members);
  EXPECT_EQ(Count(members["a"]), 3U);
  EXPECT_EQ(Count(members["c"]), 3U);
  EXPECT_EQ(Error(Leave("b")), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupHeartbeatTest, ASilentMemberIsRemovedAfterItsSession) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  Advance(9000);
  members["a"] = Follow("a", members["a"]);
  Advance(1000);  // "b" has been silent for 10,000 ms
  EXPECT_EQ(Error(Follow("b", members["b"])), ErrorCode::kUnknownMemberId);
  members.erase("b");
  Settle(members);
  EXPECT_EQ(Count(members["a"]), 6U);
}

TEST_F(GroupHeartbeatTest, AMembersOwnSessionTimeoutCounts) {
  message::GroupHeartbeatRequest request = JoinRequest("a", {"t"});
  request.set_session_timeout_ms(1000);
  const Answer a = Heartbeat(request);
  Advance(999);
  EXPECT_EQ(Error(Follow("a", a)), ErrorCode::kNone);
  Advance(1000);
  EXPECT_EQ(Error(Follow("a", a)), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupHeartbeatTest, AMemberThatDoesNotGiveUpInTimeIsRemoved) {
  const Answer a = Join("a");
  Answer b = Join("b");
  message::GroupHeartbeatRequest clinging = Request("a", 1);
  clinging.set_owned_present(true);
  *clinging.mutable_owned() = a.assignment();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(Error(Heartbeat(clinging)), ErrorCode::kNone) << i;
    b = Follow("b", b);
    EXPECT_EQ(Count(b), 0U);
    Advance(5000);  // 30,000 ms after the sixth
  }
  EXPECT_EQ(Error(Heartbeat(clinging)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Count(Follow("b", b)), 6U);
}

TEST_F(GroupHeartbeatTest, GivingUpInTimeStopsTheRebalanceClock) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  for (int i = 0; i < 20; ++i) {
    Advance(5000);
    Settle(members);
  }
  EXPECT_EQ(Count(members["a"]) + Count(members["b"]), 6U);
}

TEST_F(GroupHeartbeatTest, AnEpochOfTheFutureIsFenced) {
  Join("a");
  EXPECT_EQ(Error(Heartbeat(Request("a", 2))), ErrorCode::kFencedMemberEpoch);
}

TEST_F(GroupHeartbeatTest, AnEpochOfThePastIsFenced) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  for (const char* member : {"b", "c"}) {
    members[member] = Join(member);
    Settle(members);
  }
  ASSERT_EQ(members["a"].member_epoch(), 3);
  EXPECT_EQ(Error(Heartbeat(Request("a", 1))), ErrorCode::kFencedMemberEpoch);
}

TEST_F(GroupHeartbeatTest, ALostAnswerIsForgiven) {
  Answer a = Join("a");
  Join("b");
  a = Follow("a", a);                  // hears of the three to keep
  const Answer lost = Follow("a", a);  // gave up the others; this answer never arrives
  ASSERT_EQ(lost.member_epoch(), 2);
  const Answer again = Follow("a", a);
  EXPECT_EQ(Error(again), ErrorCode::kNone);
  EXPECT_EQ(again.member_epoch(), 2);
  EXPECT_EQ(Count(again), 3U);
}

TEST_F(GroupHeartbeatTest, APreviousEpochWithSomebodyElsesPartitionsIsFenced) {
  const Answer first = Join("a");
  Answer b = Join("b");
  Answer a = Follow("a", first);
  a = Follow("a", a);
  ASSERT_EQ(a.member_epoch(), 2);
  message::GroupHeartbeatRequest request = Request("a", 1);
  request.set_owned_present(true);
  *request.mutable_owned() = first.assignment();  // all six
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kFencedMemberEpoch);
}

TEST_F(GroupHeartbeatTest, JoiningTwiceIsOneMember) {
  const Answer first = Join("a");
  const Answer second = Join("a");
  EXPECT_EQ(second.member_epoch(), first.member_epoch());
  EXPECT_EQ(Count(second), 6U);
  EXPECT_EQ(core_.groups().at("g").membership.members.size(), 1U);
}

TEST_F(GroupHeartbeatTest, AFencedMemberMayJoinAgain) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  Advance(9999);
  members["b"] = Follow("b", members["b"]);
  Advance(1);
  ASSERT_EQ(Error(Follow("a", members["a"])), ErrorCode::kUnknownMemberId);
  members["a"] = Join("a");
  EXPECT_GT(members["a"].member_epoch(), 2);
  Settle(members);
  EXPECT_EQ(Count(members["a"]), 3U);
}

TEST_F(GroupHeartbeatTest, AChangedSubscriptionMovesPartitions) {
  const TopicId other = topics_.Add("u", 2, 2);
  Answer a = Join("a");
  message::GroupHeartbeatRequest request = Request("a", 1);
  request.set_subscription_present(true);
  request.add_subscribed_topics("u");
  a = Heartbeat(request);
  EXPECT_EQ(Count(a), 0U);  // "t" is to be given up first
  a = Follow("a", a);
  ASSERT_EQ(Count(a), 2U);
  EXPECT_EQ(a.assignment(0).topic_id(), other.ToBytes());
}

TEST_F(GroupHeartbeatTest, NewPartitionsAreDealtOut) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  topics_.Add("t", 1, 8);
  TopicsChanged();
  Settle(members);
  EXPECT_EQ(Count(members["a"]), 4U);
  EXPECT_EQ(Count(members["b"]), 4U);
}

TEST_F(GroupHeartbeatTest, ATopicMayBeSubscribedBeforeItExists) {
  Answer a = Join("a", {"later"});
  EXPECT_EQ(Count(a), 0U);
  topics_.Add("later", 9, 3);
  TopicsChanged();
  EXPECT_EQ(Count(Follow("a", a)), 3U);
}

TEST_F(GroupHeartbeatTest, PartitionsOfADeletedTopicAreDropped) {
  std::map<std::string, Answer> members;
  topics_.Add("u", 2, 2);
  members["a"] = Join("a", {"t", "u"});
  topics_.Remove("t");
  TopicsChanged();
  Settle(members);
  EXPECT_EQ(Count(members["a"]), 2U);
}

TEST_F(GroupHeartbeatTest, AnUnrelatedTopicChangesNothing) {
  Join("a");
  const size_t records = log_.size();
  topics_.Add("unrelated", 5, 3);
  TopicsChanged();
  EXPECT_EQ(log_.size(), records);
}

TEST_F(GroupHeartbeatTest, RefusesMalformedRequests) {
  message::GroupHeartbeatRequest request = JoinRequest("a", {"t"});
  request.set_group_id("");
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kInvalidGroupId);
  request.set_group_id(std::string(250, 'g'));
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kInvalidGroupId);

  EXPECT_EQ(Error(Heartbeat(JoinRequest("", {"t"}))), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Error(Heartbeat(JoinRequest(std::string(250, 'm'), {"t"}))),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(Error(Heartbeat(Request("a", -2))), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Error(Heartbeat(Request("a", 0))), ErrorCode::kInvalidRequest);  // no subscription
  EXPECT_EQ(Error(Heartbeat(JoinRequest("a", {""}))), ErrorCode::kInvalidRequest);

  request = JoinRequest("a", {"t"});
  request.set_assignor("sticky");
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kUnsupportedAssignor);
  request = JoinRequest("a", {"t"});
  request.set_session_timeout_ms(1);
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kInvalidSessionTimeout);
  request = JoinRequest("a", {"t"});
  request.add_owned()->set_topic_id("short");
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kInvalidRequest);
  request = JoinRequest("a", {"t"});
  auto* owned = request.add_owned();
  owned->set_topic_id(topic_.ToBytes());
  owned->add_partitions(0);
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kInvalidRequest);  // owns before it joined
  EXPECT_TRUE(log_.empty());
}

TEST_F(GroupHeartbeatTest, AStrangerIsUnknown) {
  EXPECT_EQ(Error(Heartbeat(Request("a", 1))), ErrorCode::kUnknownMemberId);
  Join("a");
  EXPECT_EQ(Error(Heartbeat(Request("b", 1))), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupHeartbeatTest, LimitsAreKept) {
  GroupCoordinatorOptions options = TestOptions();
  options.members_per_group_max = 2;
  options.groups_max = 1;
  options.partitions_per_group_max = 6;
  core_ = GroupCoordinatorCore(options);
  Join("a");
  EXPECT_EQ(Error(Join("b")), ErrorCode::kNone);
  EXPECT_EQ(Error(Join("c")), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(Error(Join("a")), ErrorCode::kNone);  // a member already
  message::GroupHeartbeatRequest request = JoinRequest("x", {"t"});
  request.set_group_id("another");
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kLimitReached);
  topics_.Add("u", 2, 1);
  request = Request("a", 1);
  request.set_subscription_present(true);
  request.add_subscribed_topics("t");
  request.add_subscribed_topics("u");
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kLimitReached);
}

// Groups that nothing is written of yet count, too.
TEST_F(GroupHeartbeatTest, LiveClassicGroupsCountAmongTheGroups) {
  GroupCoordinatorOptions options = TestOptions();
  options.groups_max = 2;
  core_ = GroupCoordinatorCore(options);
  for (const std::string group : {"c", "d"}) {
    ClassicJoinRequest join;
    join.group_id = group;
    join.protocol_type = "consumer";
    join.protocols = {{.name = "range", .metadata = ""}};
    join.session_timeout_ms = 10000;
    EXPECT_TRUE(core_.JoinGroup(1, join, now_, topics_).empty());
    EXPECT_TRUE(core_.FinishClassic(ErrorCode::kNone, now_).empty());
  }
  EXPECT_EQ(Error(Join("a")), ErrorCode::kLimitReached);
  EXPECT_EQ(CommitOffset("", -1, topics_.FindByName("t")->id, 0, 1), ErrorCode::kLimitReached);
  EXPECT_TRUE(core_.groups().empty());
}

TEST_F(GroupHeartbeatTest, MembersBeyondTheBytesAreRefused) {
  GroupCoordinatorOptions options = TestOptions();
  options.bytes_max = 20000;
  core_ = GroupCoordinatorCore(options);
  ASSERT_EQ(Error(Join("a")), ErrorCode::kNone);
  message::GroupHeartbeatRequest request = JoinRequest("b", {});
  for (int i = 0; i < 90; ++i) request.add_subscribed_topics(std::string(200, 'x') + char('!' + i));
  EXPECT_EQ(Error(Heartbeat(request)), ErrorCode::kLimitReached);
  EXPECT_EQ(Error(Join("b")), ErrorCode::kNone);
  const size_t held = core_.held_bytes();
  EXPECT_GT(held, 2 * size_t{1024});
  Leave("b");
  EXPECT_LT(core_.held_bytes(), held);
  Leave("a");
  EXPECT_EQ(core_.held_bytes(), 0U);
}

TEST_F(GroupHeartbeatTest, TheLastMemberTakesAnEmptyGroupWithIt) {
  Join("a");
  Leave("a");
  EXPECT_TRUE(core_.groups().empty());
  EXPECT_EQ(core_.StateRecordCount(), 0U);
}

TEST_F(GroupHeartbeatTest, TimersAreGoneWithTheirMember) {
  Join("a");
  EXPECT_TRUE(core_.NextDeadline().has_value());
  Leave("a");
  EXPECT_FALSE(core_.NextDeadline().has_value());
}

TEST_F(GroupHeartbeatTest, ManyMembersMayFallSilentAtOnce) {
  for (int i = 0; i < 50; ++i) Join("m" + std::to_string(i));
  Advance(10000);
  EXPECT_TRUE(core_.groups().empty());
  EXPECT_FALSE(core_.NextDeadline().has_value());
}

}  // namespace
}  // namespace quipu
