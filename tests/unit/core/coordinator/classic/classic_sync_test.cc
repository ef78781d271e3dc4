// Goal: every member gets what the leader made for it, durable first; heartbeats, commits and
// departures follow the generation. Method: scripted clients, one rule a test.
#include "tests/unit/core/coordinator/classic/classic_fixture.h"

namespace quipu {
namespace {

class ClassicSyncTest : public ClassicFixture {};

TEST_F(ClassicSyncTest, FollowersWaitForTheLeadersAssignment) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t b = Send(SyncOf(joined[1]));
  EXPECT_FALSE(Answered(b));
  const uint64_t a =
      Send(SyncOf(joined[0], {{joined[0].member_id, "for a"}, {joined[1].member_id, "for b"}}));
  EXPECT_EQ(Synced(a).assignment, "for a");
  EXPECT_EQ(Synced(b).assignment, "for b");
  EXPECT_EQ(Synced(b).protocol, "range");
  EXPECT_EQ(Synced(b).protocol_type, "consumer");
  EXPECT_EQ(State(), "Stable");
  const uint64_t again = Send(SyncOf(joined[1]));
  EXPECT_EQ(Synced(again).assignment, "for b");
}

TEST_F(ClassicSyncTest, WhomTheLeaderLeavesOutGetsNothing) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  Send(SyncOf(joined[0], {{joined[0].member_id, "for a"}, {"nobody", "x"}}));
  const uint64_t b = Send(SyncOf(joined[1]));
  EXPECT_EQ(ErrorOf(b), ErrorCode::kNone);
  EXPECT_EQ(Synced(b).assignment, "");
}

TEST_F(ClassicSyncTest, WhoIsOfAnotherGenerationOrGroupIsRefused) {
  const auto joined = JoinAll({JoinOf("a")});
  ClassicSyncRequest request = SyncOf(joined[0]);
  request.generation = 7;
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kIllegalGeneration);
  request = SyncOf(joined[0]);
  request.member_id = "x";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kUnknownMemberId);
  request = SyncOf(joined[0]);
  request.protocol = "sticky";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  request = SyncOf(joined[0]);
  request.protocol_type = "connect";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  request = SyncOf(joined[0]);
  request.group_id = "h";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kUnknownMemberId);
  request.group_id = "";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidGroupId);
  request = SyncOf(joined[0]);
  request.protocol = "range";
  request.protocol_type = "consumer";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kNone);
}

TEST_F(ClassicSyncTest, WhoWaitsIsToldWhenTheGroupRebalancesAgain) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t b = Send(SyncOf(joined[1]));
  Send(JoinOf("c"));
  EXPECT_EQ(ErrorOf(b), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(ErrorOf(Send(SyncOf(joined[0]))), ErrorCode::kRebalanceInProgress);
}

TEST_F(ClassicSyncTest, ALaterSyncOfAMemberTakesThePlaceOfTheOneBefore) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t first = Send(SyncOf(joined[1]));
  const uint64_t second = Send(SyncOf(joined[1]));
  EXPECT_EQ(ErrorOf(first), ErrorCode::kRebalanceInProgress);
  Send(SyncOf(joined[0]));
  EXPECT_EQ(ErrorOf(second), ErrorCode::kNone);
}

TEST_F(ClassicSyncTest, WhoNeverFetchesItsAssignmentIsOut) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  Send(SyncOf(joined[0]));
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(Beat(joined[0].member_id, 1), ErrorCode::kNone);
    EXPECT_EQ(Beat(joined[1].member_id, 1), ErrorCode::kNone);
    Pass(5000);
  }
  EXPECT_EQ(Beat(joined[1].member_id, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Beat(joined[0].member_id, 1), ErrorCode::kRebalanceInProgress);
}

TEST_F(ClassicSyncTest, ALeaderThatNeverAssignsIsOutAndAnotherOneLeads) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t b = Send(SyncOf(joined[1]));
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(Beat(joined[0].member_id, 1), ErrorCode::kNone);
    Pass(5000);
  }
  EXPECT_EQ(ErrorOf(b), ErrorCode::kRebalanceInProgress);
  const uint64_t again = Send(JoinOf("b", joined[1].member_id));
  ASSERT_TRUE(Answered(again));
  EXPECT_EQ(Joined(again).leader, joined[1].member_id);
}

TEST_F(ClassicSyncTest, AnAssignmentThatCannotBeWrittenIsNotGiven) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t b = Send(SyncOf(joined[1]));
  refuse_ = ErrorCode::kCoordinatorNotAvailable;
  EXPECT_EQ(ErrorOf(Send(SyncOf(joined[0]))), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_FALSE(Answered(b));
  EXPECT_EQ(State(), "CompletingRebalance");
  refuse_ = ErrorCode::kNone;
  EXPECT_EQ(ErrorOf(Send(SyncOf(joined[0]))), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(b), ErrorCode::kNone);
}

TEST_F(ClassicSyncTest, AnAssignmentThatFitsIntoNoBatchIsRefused) {
  options_.classic_group_bytes_max = 4000;
  core_ = GroupCoordinatorCore(options_);
  const auto joined = JoinAll({JoinOf("a")});
  const std::string large(5000, 'x');
  EXPECT_EQ(ErrorOf(Send(SyncOf(joined[0], {{joined[0].member_id, large}}))),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(ErrorOf(Send(SyncOf(joined[0], {{joined[0].member_id, "small"}}))), ErrorCode::kNone);
}

TEST_F(ClassicSyncTest, HeartbeatsOfStrangersAreRefused) {
  const auto joined = StableGroup({"a"});
  EXPECT_EQ(Beat("x", 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Beat(joined[0].member_id, 0), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Beat(joined[0].member_id, 1, "instance"), ErrorCode::kUnknownMemberId);
  ClassicHeartbeatRequest request;
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidGroupId);
  request.group_id = "h";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kUnknownMemberId);
}

TEST_F(ClassicSyncTest, WhoLeavesIsMissedAtOnce) {
  const auto joined = StableGroup({"a", "b", "c"});
  ClassicLeaveRequest request;
  request.group_id = "g";
  request.members = {{joined[0].member_id, ""}, {"x", ""}, {joined[1].member_id, ""}};
  const auto answer = Get<ClassicLeaveAnswer>(Send(request));
  ASSERT_EQ(answer.members.size(), 3U);
  EXPECT_EQ(answer.members[0].error, ErrorCode::kNone);
  EXPECT_EQ(answer.members[1].error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(answer.members[2].error, ErrorCode::kNone);
  EXPECT_EQ(Beat(joined[2].member_id, 1), ErrorCode::kRebalanceInProgress);
  const uint64_t again = Send(JoinOf("c", joined[2].member_id));
  EXPECT_EQ(Joined(again).generation, 2);
  EXPECT_EQ(Joined(again).leader, joined[2].member_id);
}

TEST_F(ClassicSyncTest, WhoLeavesWhileItWaitsIsAnsweredToo) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t sync = Send(SyncOf(joined[1]));
  EXPECT_EQ(LeaveBy(joined[1].member_id), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(sync), ErrorCode::kUnknownMemberId);
  Send(JoinOf("c"));
  const std::string c = std::prev(core_.classic().Find("g")->members.end())->first;
  EXPECT_EQ(LeaveBy(c), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(token_ - 1), ErrorCode::kUnknownMemberId);
}

TEST_F(ClassicSyncTest, TooManyAtOnceCannotLeave) {
  options_.classic_leaving_members_max = 1;
  core_ = GroupCoordinatorCore(options_);
  ClassicLeaveRequest request;
  request.group_id = "g";
  request.members.resize(2);
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidRequest);
}

TEST_F(ClassicSyncTest, AGroupWhoseLastMemberLeavesIsEmptyAndForgottenLater) {
  const auto joined = StableGroup({"a"});
  EXPECT_EQ(LeaveBy(joined[0].member_id), ErrorCode::kNone);
  EXPECT_EQ(State(), "Empty");
  const ClassicMembership& durable = core_.groups().at("g").classic;
  EXPECT_TRUE(durable.members.empty());
  EXPECT_EQ(durable.generation, 2);
  FailOver();
  EXPECT_EQ(State(), "Empty");
  Pass(options_.classic_empty_group_ms);
  EXPECT_EQ(State(), "none");
  EXPECT_TRUE(core_.groups().empty());
  EXPECT_FALSE(core_.NextDeadline().has_value());
}

TEST_F(ClassicSyncTest, AnEmptyGroupWithOffsetsStays) {
  const auto joined = StableGroup({"a"});
  EXPECT_EQ(CommitAs(joined[0].member_id, 1, 42), ErrorCode::kNone);
  LeaveBy(joined[0].member_id);
  Pass(options_.classic_empty_group_ms);
  EXPECT_EQ(FetchOffset(topic_, 0), 42);
  const auto again = StableGroup({"b"});
  EXPECT_EQ(again[0].generation, 3);
}

TEST_F(ClassicSyncTest, ThatAGroupIsEmptyIsWrittenWhenItCanBe) {
  const auto joined = StableGroup({"a"});
  refuse_ = ErrorCode::kCoordinatorNotAvailable;
  EXPECT_EQ(LeaveBy(joined[0].member_id), ErrorCode::kNone);
  EXPECT_EQ(State(), "Empty");
  EXPECT_EQ(core_.groups().at("g").classic.members.size(), 1U);
  EXPECT_EQ(core_.NextDeadline(), now_.mono);
  Pass(0);
  EXPECT_EQ(core_.groups().at("g").classic.members.size(), 1U);
  refuse_ = ErrorCode::kNone;
  Pass(0);
  EXPECT_TRUE(core_.groups().at("g").classic.members.empty());
  FailOver();
}

TEST_F(ClassicSyncTest, CommitsFollowTheGeneration) {
  const auto joined = StableGroup({"a", "b"});
  const std::string& a = joined[0].member_id;
  EXPECT_EQ(CommitAs(a, 1, 10), ErrorCode::kNone);
  EXPECT_EQ(CommitAs(a, 0, 11), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(CommitAs("x", 1, 11), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(CommitAs("", -1, 11), ErrorCode::kUnknownMemberId);  // from outside
  // While the group prepares a rebalance its members finish what they have read.
  const uint64_t b = Send(JoinOf("b2"));
  EXPECT_EQ(State(), "PreparingRebalance");
  EXPECT_EQ(CommitAs(a, 1, 12), ErrorCode::kNone);
  Send(JoinOf("b", joined[1].member_id));
  const uint64_t again = Send(JoinOf("a", a));
  EXPECT_EQ(State(), "CompletingRebalance");
  EXPECT_EQ(CommitAs(a, 1, 13), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(CommitAs(a, 2, 13), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(FetchOffset(topic_, 0), 12);
  EXPECT_EQ(Joined(again).generation, Joined(b).generation);
}

TEST_F(ClassicSyncTest, ACommitKeepsItsMemberAlive) {
  const auto joined = StableGroup({"a"});
  for (int i = 0; i < 5; ++i) {
    Pass(9000);
    EXPECT_EQ(CommitAs(joined[0].member_id, 1, i), ErrorCode::kNone);
  }
}

TEST_F(ClassicSyncTest, FromOutsideOneCommitsToAGroupWithoutMembers) {
  EXPECT_EQ(CommitAs("", -1, 5), ErrorCode::kNone);
  const auto joined = StableGroup({"a"});
  EXPECT_EQ(CommitAs("", -1, 6), ErrorCode::kUnknownMemberId);
  LeaveBy(joined[0].member_id);
  EXPECT_EQ(CommitAs("", -1, 7), ErrorCode::kNone);
  EXPECT_EQ(FetchOffset(topic_, 0), 7);
}

}  // namespace
}  // namespace quipu
