// Goal: a static member (KIP-345) that restarts keeps its place and its assignment, the others
// notice nothing, and the process before is fenced; groups go from one protocol to the other only
// when they are empty; what is told of them is right. Method: scripted clients, one rule a test.
#include "core/coordinator/classic/consumer_protocol.h"
#include "tests/unit/core/coordinator/classic/classic_fixture.h"

namespace quipu {
namespace {

class ClassicStaticTest : public ClassicFixture {
 protected:
  static ClassicJoinRequest StaticOf(const std::string& instance,
                                     const std::string& member_id = "") {
    ClassicJoinRequest request = JoinOf(instance, member_id);
    request.instance_id = instance;
    request.require_known_member_id = true;  // has no effect with an instance id
    request.supports_skip_assignment = true;
    return request;
  }
  // A ConsumerProtocolSubscription of version 1: of a member that says what it owns of "t".
  static std::string Owning(const std::vector<int32_t>& partitions) {
    std::string bytes = Subscription({"t"});
    bytes[1] = 1;
    AppendBigEndian(bytes, int32_t{1});
    bytes += std::string("\0\1t", 3);
    AppendBigEndian(bytes, static_cast<int32_t>(partitions.size()));
    for (const int32_t index : partitions) AppendBigEndian(bytes, index);
    return bytes;
  }
  std::vector<ClassicJoinAnswer> StaticGroup() {
    const auto joined = JoinAll({StaticOf("one"), StaticOf("two")});
    SyncAll(joined);
    return joined;
  }
};

TEST_F(ClassicStaticTest, TheOtherProtocolsRemovalIsRefusedAndSaysWhy) {
  StaticGroup();
  message::RemoveMembersRequest request;
  request.set_group_id("g");
  request.add_instance_ids("one");
  const auto result = core_.RemoveStaticMembers(request, now_, topics_);
  EXPECT_EQ(result.response.error_code(),
            static_cast<int32_t>(ErrorCode::kInconsistentGroupProtocol));
  EXPECT_NE(result.response.error_message().find("LeaveGroup"), std::string::npos);
  EXPECT_TRUE(result.records.empty());
}

TEST_F(ClassicStaticTest, ARestartedFollowerGoesOnAtOnce) {
  const auto joined = StaticGroup();
  const uint64_t again = Send(StaticOf("two"));
  ASSERT_TRUE(Answered(again));
  const ClassicJoinAnswer& answer = Joined(again);
  EXPECT_EQ(answer.error, ErrorCode::kNone);
  EXPECT_EQ(answer.generation, 1);
  EXPECT_NE(answer.member_id, joined[1].member_id);
  EXPECT_EQ(answer.leader, joined[0].member_id);
  EXPECT_FALSE(answer.skip_assignment);
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Synced(Send(SyncOf(answer))).assignment, Assignment("t", {1}));
  EXPECT_EQ(Beat(joined[0].member_id, 1, "one"), ErrorCode::kNone);
  EXPECT_EQ(Beat(joined[1].member_id, 1, "two"), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Send(StaticOf("two", joined[1].member_id))), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(LeaveBy(joined[1].member_id, "two"), ErrorCode::kFencedInstanceId);
  FailOver();
  EXPECT_EQ(Beat(answer.member_id, 1, "two"), ErrorCode::kNone);
}

TEST_F(ClassicStaticTest, G03TheOlderOfTwoProcessesCommitsNothing) {
  const auto joined = StaticGroup();
  Send(StaticOf("two"));
  message::OffsetCommitRequest request;
  request.set_group_id("g");
  request.set_member_id(joined[1].member_id);
  request.set_instance_id("two");
  request.set_member_epoch(1);
  EXPECT_EQ(Commit(core_.OffsetCommit(request, now_, topics_)).error_code(),
            static_cast<int32_t>(ErrorCode::kFencedInstanceId));
}

TEST_F(ClassicStaticTest, ARestartedLeaderIsToldToAssignNothing) {
  StaticGroup();
  const ClassicJoinAnswer answer = Joined(Send(StaticOf("one")));
  EXPECT_TRUE(answer.skip_assignment);
  EXPECT_EQ(answer.leader, answer.member_id);
  EXPECT_EQ(answer.members.size(), 2U);  // it may look for changes of its own
  EXPECT_EQ(Synced(Send(SyncOf(answer))).assignment, Assignment("t", {0}));
}

TEST_F(ClassicStaticTest, ARestartedLeaderThatCannotSkipIsToldThatAnotherLeads) {
  const auto joined = StaticGroup();
  ClassicJoinRequest request = StaticOf("one");
  request.supports_skip_assignment = false;
  const ClassicJoinAnswer answer = Joined(Send(request));
  EXPECT_FALSE(answer.skip_assignment);
  EXPECT_EQ(answer.leader, joined[0].member_id);
  EXPECT_TRUE(answer.members.empty());
  EXPECT_EQ(Synced(Send(SyncOf(answer))).assignment, Assignment("t", {0}));
}

TEST_F(ClassicStaticTest, WhatARestartedMemberOwnsDoesNotMatterItsTopicsDo) {
  StaticGroup();
  ClassicJoinRequest request = StaticOf("two");
  request.protocols[0].metadata = Subscription({"t"}, "other user data");
  EXPECT_TRUE(Answered(Send(request)));
  EXPECT_EQ(State(), "Stable");
  request.protocols[0].metadata = Subscription({"u"});
  EXPECT_FALSE(Answered(Send(request)));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicStaticTest, ARestartThatChangesTheProtocolStartsARebalance) {
  std::vector<ClassicJoinRequest> requests = {StaticOf("one"), StaticOf("two")};
  for (ClassicJoinRequest& request : requests) {
    request.protocols.push_back({.name = "sticky", .metadata = Subscription({"t"})});
  }
  SyncAll(JoinAll(requests));
  std::swap(requests[1].protocols[0], requests[1].protocols[1]);
  requests[1].protocols.pop_back();
  EXPECT_FALSE(Answered(Send(requests[1])));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicStaticTest, AReplacementThatCannotBeWrittenDidNotHappen) {
  const auto joined = StaticGroup();
  refuse_ = ErrorCode::kCoordinatorNotAvailable;
  const uint64_t again = Send(StaticOf("two"));
  EXPECT_EQ(ErrorOf(again), ErrorCode::kCoordinatorNotAvailable);
  refuse_ = ErrorCode::kNone;
  EXPECT_EQ(Beat(joined[1].member_id, 1, "two"), ErrorCode::kNone);
}

TEST_F(ClassicStaticTest, ARestartWhileTheGroupRebalancesFencesWhoWaits) {
  const auto joined = StaticGroup();
  const uint64_t waits = Send(StaticOf("one", joined[0].member_id));
  EXPECT_FALSE(Answered(waits));
  const uint64_t again = Send(StaticOf("one"));
  EXPECT_EQ(ErrorOf(waits), ErrorCode::kFencedInstanceId);
  const uint64_t two = Send(StaticOf("two", joined[1].member_id));
  EXPECT_EQ(Joined(again).leader, Joined(again).member_id);
  EXPECT_EQ(Joined(two).generation, 2);
}

TEST_F(ClassicStaticTest, ARestartBeforeTheAssignmentStartsOver) {
  const auto joined = JoinAll({StaticOf("one"), StaticOf("two")});
  const uint64_t sync = Send(SyncOf(joined[1]));
  EXPECT_FALSE(Answered(Send(StaticOf("two"))));
  EXPECT_EQ(ErrorOf(sync), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicStaticTest, G03WhoWasToldThatItHasThePlaceHasItAtTheNextCoordinatorToo) {
  const auto joined = StaticGroup();
  Send(StaticOf("one", joined[0].member_id));
  const uint64_t restarted = Send(StaticOf("two"));
  ASSERT_TRUE(Answered(restarted));
  const std::string two = Joined(restarted).member_id;
  // The leader's assignment never comes.
  FailOver();
  EXPECT_EQ(Beat(joined[1].member_id, 1, "two"), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Beat(two, 2, "two"), ErrorCode::kIllegalGeneration);
  const ClassicJoinAnswer again = Joined(Send(StaticOf("two", two)));
  EXPECT_EQ(again.generation, 1);
  EXPECT_EQ(Synced(Send(SyncOf(again))).assignment, Assignment("t", {1}));
}

TEST_F(ClassicStaticTest, G03SoHasWhoCameAfterTheOneBeforeHadLeft) {
  const auto joined = StaticGroup();
  EXPECT_EQ(LeaveBy(joined[0].member_id, "one"), ErrorCode::kNone);
  Send(StaticOf("one"));
  const uint64_t two = Send(StaticOf("two", joined[1].member_id));
  ASSERT_TRUE(Answered(two));
  const std::string one = Joined(token_ - 1).member_id;
  ASSERT_NE(one, joined[0].member_id);
  FailOver();
  EXPECT_EQ(Beat(one, 2, "one"), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Beat(joined[0].member_id, 1, "one"), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(core_.classic().Find("g")->leader, one);
}

TEST_F(ClassicStaticTest, G03APlaceThatCannotBeWrittenIsNotTold) {
  const auto joined = StaticGroup();
  const uint64_t one = Send(StaticOf("one", joined[0].member_id));
  refuse_ = ErrorCode::kCoordinatorNotAvailable;
  const uint64_t two = Send(StaticOf("two"));
  EXPECT_EQ(ErrorOf(one), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(two), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(Joined(two).member_id, "");
  EXPECT_EQ(ErrorOf(Send(StaticOf("one", joined[0].member_id))),
            ErrorCode::kCoordinatorNotAvailable);
  refuse_ = ErrorCode::kNone;
  EXPECT_EQ(Joined(Send(StaticOf("one", joined[0].member_id))).generation, 2);
  FailOver();
  EXPECT_EQ(Beat(joined[1].member_id, 1, "two"), ErrorCode::kFencedInstanceId);
}

TEST_F(ClassicStaticTest, ARestartOfWhoHasStillToGiveUpPartitionsStartsARebalance) {
  std::vector<ClassicJoinRequest> requests = {StaticOf("one"), StaticOf("two")};
  // "one" keeps partition 0 of what it has, "two" has to give partition 2 up and to join again.
  requests[0].protocols[0].metadata = Owning({0});
  requests[1].protocols[0].metadata = Owning({1, 2});
  SyncAll(JoinAll(requests));
  requests[0].protocols[0].metadata = Owning({});
  EXPECT_TRUE(Answered(Send(requests[0])));
  EXPECT_EQ(State(), "Stable");
  requests[1].protocols[0].metadata = Owning({});
  EXPECT_FALSE(Answered(Send(requests[1])));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicStaticTest, AStaticMemberThatIsAwayStaysInARebalance) {
  const auto joined = StaticGroup();
  const uint64_t again = Send(StaticOf("one", joined[0].member_id));
  // Its session is over before the rebalance: that alone removes it.
  Pass(9000);
  EXPECT_FALSE(Answered(again));
  Pass(1000);
  ASSERT_TRUE(Answered(again));
  EXPECT_EQ(Joined(again).members.size(), 1U);
}

TEST_F(ClassicStaticTest, ARebalanceThatOnlyAwayMembersAreLeftOfWaitsForOne) {
  ClassicJoinRequest one = StaticOf("one");
  one.session_timeout_ms = 200000;
  const auto joined = JoinAll({one, JoinOf("b")});
  SyncAll(joined);
  EXPECT_EQ(LeaveBy(joined[1].member_id), ErrorCode::kNone);
  EXPECT_EQ(State(), "PreparingRebalance");
  Pass(100000);
  EXPECT_EQ(State(), "PreparingRebalance");
  const uint64_t again = Send(one);
  ASSERT_TRUE(Answered(again));
  EXPECT_EQ(Joined(again).leader, Joined(again).member_id);
}

TEST_F(ClassicStaticTest, AnotherOneLeadsWhenTheLeaderIsAway) {
  ClassicJoinRequest one = StaticOf("one");
  one.session_timeout_ms = 200000;
  const auto joined = JoinAll({one, JoinOf("b")});
  SyncAll(joined);
  ClassicJoinRequest changed = JoinOf("b", joined[1].member_id);
  changed.protocols[0].metadata = Subscription({"u"});
  const uint64_t b = Send(changed);
  Pass(60000);
  ASSERT_TRUE(Answered(b));
  EXPECT_EQ(Joined(b).leader, joined[1].member_id);
  EXPECT_EQ(Joined(b).members.size(), 2U);
  // The one away does not have to fetch what it does not know of.
  Send(SyncOf(Joined(b), {{joined[0].member_id, "kept"}}));
  for (int i = 0; i < 13; ++i) {
    EXPECT_EQ(Beat(joined[1].member_id, 2), ErrorCode::kNone);
    Pass(5000);
  }
  const ClassicJoinAnswer back = Joined(Send(one));
  EXPECT_EQ(back.generation, 2);
  EXPECT_EQ(Synced(Send(SyncOf(back))).assignment, "kept");
}

TEST_F(ClassicStaticTest, AStaticMemberIsTakenOutByItsInstanceId) {
  const auto joined = StaticGroup();
  EXPECT_EQ(LeaveBy("", "three"), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(LeaveBy("", "two"), ErrorCode::kNone);
  EXPECT_EQ(Beat(joined[1].member_id, 1, "two"), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Beat(joined[0].member_id, 1, "one"), ErrorCode::kRebalanceInProgress);
}

// ---- the two protocols -----------------------------------------------------------------------

class ClassicKindTest : public ClassicFixture {
 protected:
  message::DescribeGroupResponse Described() {
    message::DescribeGroupRequest request;
    request.set_group_id("g");
    return core_.Describe(request, topics_).response;
  }
};

TEST_F(ClassicKindTest, MembersOfTheServersAreNoneOfAClassicGroup) {
  const auto joined = StableGroup({"a"});
  EXPECT_EQ(Leave("m").error_code(), static_cast<int32_t>(ErrorCode::kUnknownMemberId));
  LeaveBy(joined[0].member_id);
  const Answer member = Join("m");
  EXPECT_EQ(member.error_code(), 0);
  EXPECT_EQ(Described().kind(), "consumer");
  EXPECT_EQ(Beat("m", 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(LeaveBy("m"), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(CommitAs("m", member.member_epoch(), 42), ErrorCode::kNone);
  FailOver();
  EXPECT_EQ(Described().kind(), "consumer");
}

TEST_F(ClassicKindTest, AnEmptyGroupGoesOverAndBackWithItsOffsets) {
  EXPECT_EQ(Join("m").error_code(), 0);
  EXPECT_EQ(CommitAs("m", 1, 42), ErrorCode::kNone);
  Leave("m");
  EXPECT_EQ(Described().kind(), "consumer");
  EXPECT_EQ(Described().state(), "Empty");
  const auto first = StableGroup({"a"});
  EXPECT_EQ(Described().kind(), "classic");
  EXPECT_EQ(FetchOffset(topic_, 0), 42);
  LeaveBy(first[0].member_id);
  FailOver();
  EXPECT_EQ(Described().kind(), "classic");
  EXPECT_EQ(Described().state(), "Empty");
  EXPECT_EQ(Join("m").error_code(), 0);
  EXPECT_EQ(Described().kind(), "consumer");
  Leave("m");
  FailOver();
  EXPECT_EQ(Described().kind(), "consumer");
  const auto second = StableGroup({"a"});
  EXPECT_GT(second[0].generation, first[0].generation);
  EXPECT_EQ(FetchOffset(topic_, 0), 42);
}

TEST_F(ClassicKindTest, AGroupThatIsLeftInItsFirstWaitIsForgottenWhenItGoesOver) {
  Send(JoinOf("a"));
  Pass(1000);
  const std::string member = core_.classic().Find("g")->members.begin()->first;
  EXPECT_EQ(LeaveBy(member), ErrorCode::kNone);
  ASSERT_NE(core_.classic().Find("g"), nullptr) << "its wait goes on";
  EXPECT_EQ(Join("m").error_code(), 0);
  Pass(3000);
  EXPECT_EQ(core_.classic().Find("g"), nullptr);
  EXPECT_EQ(Described().kind(), "consumer");
}

TEST_F(ClassicKindTest, AGroupThatOnlyHoldsOffsetsIsClassic) {
  EXPECT_EQ(CommitAs("", -1, 42), ErrorCode::kNone);
  EXPECT_EQ(Described().kind(), "classic");
  EXPECT_EQ(Described().state(), "Empty");
}

TEST_F(ClassicKindTest, AClassicGroupIsDescribed) {
  const auto joined = StableGroup({"a", "b"});
  const auto group = Described();
  EXPECT_EQ(group.kind(), "classic");
  EXPECT_EQ(group.state(), "Stable");
  EXPECT_EQ(group.assignor(), "range");
  EXPECT_EQ(group.protocol_type(), "consumer");
  EXPECT_EQ(group.group_epoch(), 1);
  ASSERT_EQ(group.members_size(), 2);
  const auto& member = group.members(1);
  EXPECT_EQ(member.member_id(), joined[1].member_id);
  EXPECT_EQ(member.client_id(), "b");
  EXPECT_EQ(member.client_host(), "host");
  EXPECT_EQ(member.session_timeout_ms(), 10000);
  ASSERT_EQ(member.subscribed_topics_size(), 1);
  EXPECT_EQ(member.subscribed_topics(0), "t");
  ASSERT_EQ(member.assignment_size(), 1);
  EXPECT_EQ(member.assignment(0).topic_id(), topic_.ToBytes());
  EXPECT_EQ(member.assignment(0).partitions(0), 1);
  EXPECT_EQ(member.classic_assignment(), Assignment("t", {1}));
  EXPECT_EQ(member.classic_metadata(), Subscription({"t"}, "b"));
}

TEST_F(ClassicKindTest, AGroupIsListedAndDescribedBeforeAnythingOfItIsDurable) {
  Send(JoinOf("a"));
  EXPECT_TRUE(core_.groups().empty());
  const auto list = core_.List().response;
  ASSERT_EQ(list.groups_size(), 1);
  EXPECT_EQ(list.groups(0).group_id(), "g");
  EXPECT_EQ(list.groups(0).kind(), "classic");
  EXPECT_EQ(list.groups(0).state(), "PreparingRebalance");
  EXPECT_EQ(list.groups(0).protocol_type(), "consumer");
  EXPECT_EQ(list.groups(0).members(), 1);
  EXPECT_EQ(Described().state(), "PreparingRebalance");
  EXPECT_EQ(Described().members(0).assignment_size(), 0);
}

TEST_F(ClassicKindTest, OnlyAnEmptyGroupIsDeleted) {
  message::DeleteGroupRequest request;
  request.set_group_id("g");
  Send(JoinOf("a"));
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(),
            static_cast<int32_t>(ErrorCode::kNonEmptyGroup));
  Pass(3000);
  SyncAll({Joined(token_)});
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(),
            static_cast<int32_t>(ErrorCode::kNonEmptyGroup));
  LeaveBy(core_.classic().Find("g")->leader);
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(), 0);
  EXPECT_EQ(State(), "none");
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(),
            static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
}

TEST_F(ClassicKindTest, OffsetsOfTopicsThatMembersReadAreNotDeleted) {
  const TopicId u = topics_.Add("u", 2, 1);
  CommitAs("", -1, 42);
  EXPECT_EQ(CommitOffset("", -1, u, 0, 43), ErrorCode::kNone);
  StableGroup({"a"});
  message::OffsetDeleteRequest request;
  request.set_group_id("g");
  for (const TopicId& topic : {topic_, u}) {
    auto* item = request.add_partitions();
    item->set_topic_id(topic.ToBytes());
    item->add_partitions(0);
  }
  const auto answer = Commit(core_.OffsetDelete(request, topics_));
  EXPECT_EQ(answer.partitions(0).error_code(),
            static_cast<int32_t>(ErrorCode::kGroupSubscribedToTopic));
  EXPECT_EQ(answer.partitions(1).error_code(), 0);
  EXPECT_EQ(FetchOffset(topic_, 0), 42);
  EXPECT_EQ(FetchOffset(u, 0), -1);
}

TEST_F(ClassicKindTest, OfAMemberThatCannotBeReadEveryTopicIsInUse) {
  const TopicId u = topics_.Add("u", 2, 1);
  EXPECT_EQ(CommitOffset("", -1, u, 0, 43), ErrorCode::kNone);
  ClassicJoinRequest join = JoinOf("a");
  join.protocols[0].metadata = "?";
  SyncAll(JoinAll({join}));
  message::OffsetDeleteRequest request;
  request.set_group_id("g");
  auto* item = request.add_partitions();
  item->set_topic_id(u.ToBytes());
  item->add_partitions(0);
  EXPECT_EQ(Commit(core_.OffsetDelete(request, topics_)).partitions(0).error_code(),
            static_cast<int32_t>(ErrorCode::kGroupSubscribedToTopic));
}

TEST_F(ClassicKindTest, OffsetsOfMembersThatAreNoConsumersAreNotDeleted) {
  ClassicJoinRequest join = JoinOf("a");
  join.protocol_type = "connect";
  SyncAll(JoinAll({join}));
  message::OffsetDeleteRequest request;
  request.set_group_id("g");
  auto* item = request.add_partitions();
  item->set_topic_id(topic_.ToBytes());
  item->add_partitions(0);
  EXPECT_EQ(Commit(core_.OffsetDelete(request, topics_)).error_code(),
            static_cast<int32_t>(ErrorCode::kNonEmptyGroup));
}

TEST_F(ClassicKindTest, AnybodyReadsTheOffsetsOfAClassicGroup) {
  const auto joined = StableGroup({"a"});
  CommitAs(joined[0].member_id, 1, 42);
  message::OffsetFetchRequest request;
  request.set_group_id("g");
  request.set_member_id(joined[0].member_id);
  request.set_member_epoch(1);
  EXPECT_EQ(core_.OffsetFetch(request).response.partitions(0).offset(), 42);
}

TEST_F(ClassicKindTest, ADeletedTopicTakesOffsetsButNoMembers) {
  const auto joined = StableGroup({"a"});
  CommitAs(joined[0].member_id, 1, 42);
  topics_.Remove("t");
  TopicsChanged();
  EXPECT_TRUE(core_.groups().at("g").offsets.empty());
  EXPECT_EQ(Beat(joined[0].member_id, 1), ErrorCode::kNone);
}

TEST(ConsumerProtocol, IsReadWithinItsBounds) {
  EXPECT_EQ(*SubscribedTopicsIn(Subscription({"t", "u"}, "data")), (TopicNames{"t", "u"}));
  EXPECT_EQ(*AssignedPartitionsIn(Assignment("t", {3, 1})), (NamedPartitions{{"t", {3, 1}}}));
  EXPECT_TRUE(AssignedPartitionsIn("")->empty());
  EXPECT_FALSE(SubscribedTopicsIn("").has_value());
  // Cut anywhere in what is read, it is none.
  const std::string subscription = Subscription({"t", "u"});
  for (size_t size = 0; size < subscription.size() - 4; ++size) {
    EXPECT_FALSE(SubscribedTopicsIn(subscription.substr(0, size)).has_value()) << size;
  }
  const std::string assignment = Assignment("t", {3, 1});
  for (size_t size = 1; size < assignment.size() - 4; ++size) {
    EXPECT_FALSE(AssignedPartitionsIn(assignment.substr(0, size)).has_value()) << size;
  }
  // Version 0 has no partitions behind the user data, and version 1 must have them.
  EXPECT_TRUE(OwnedPartitionsIn(subscription)->empty());
  std::string owning = Subscription({"t"}, "data");
  owning[1] = 1;
  EXPECT_FALSE(OwnedPartitionsIn(owning).has_value());
  owning += Assignment("t", {3, 1}).substr(sizeof(int16_t));
  EXPECT_EQ(*OwnedPartitionsIn(owning), (NamedPartitions{{"t", {3, 1}}}));
  for (size_t size = 0; size < owning.size() - 4; ++size) {
    EXPECT_FALSE(OwnedPartitionsIn(owning.substr(0, size)).has_value()) << size;
  }
  std::string many;  // counts that cannot be
  AppendBigEndian(many, int16_t{0});
  AppendBigEndian(many, INT32_MAX);
  EXPECT_FALSE(SubscribedTopicsIn(many).has_value());
  EXPECT_FALSE(AssignedPartitionsIn(many).has_value());
  std::string negative;
  AppendBigEndian(negative, int16_t{-1});
  AppendBigEndian(negative, int32_t{0});
  EXPECT_FALSE(SubscribedTopicsIn(negative).has_value());
}

}  // namespace
}  // namespace quipu
