// Goal: what members of groups hear, version by version: finding the coordinator, joining, their
// part, being alive and leaving.
#include "gmock/gmock.h"
#include "tests/unit/broker/kafka/group_fixture.h"

namespace quipu::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// ---- FindCoordinator -------------------------------------------------------------------------

TEST_F(KafkaGroupOfThreeTest, SeveralCoordinatorsAreFoundAtOnce) {
  FindCoordinatorRequest request;
  request.coordinator_keys = {"g", "other", "g"};
  const auto found = kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator, request, 4);
  ASSERT_EQ(found.coordinators.size(), 2U);
  EXPECT_EQ(found.coordinators[0].key, "g");
  EXPECT_EQ(found.coordinators[0].node_id, BrokerId(at_));
  EXPECT_EQ(found.coordinators[0].host, "127.0.0.1");
  EXPECT_EQ(found.coordinators[0].port, 9190 + at_);
  EXPECT_EQ(found.coordinators[1].key, "other");
  EXPECT_EQ(found.coordinators[1].error_code, ErrorCode::kNone);
}

TEST_F(KafkaGroupTest, TransactionsHaveNoCoordinator) {
  FindCoordinatorRequest request{.key = "t", .key_type = 1};
  request.coordinator_keys = {"t"};
  for (const int16_t version : {int16_t{1}, int16_t{3}}) {
    const auto refused =
        kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator, request, version);
    EXPECT_EQ(refused.error_code, ErrorCode::kInvalidRequest);
    EXPECT_EQ(refused.node_id, kNoBroker);
    EXPECT_TRUE(refused.error_message.has_value());
  }
  const auto refused = kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator, request, 4);
  ASSERT_EQ(refused.coordinators.size(), 1U);
  EXPECT_EQ(refused.coordinators[0].error_code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(refused.coordinators[0].node_id, kNoBroker);
}

// ---- JoinGroup and SyncGroup -----------------------------------------------------------------

TEST_F(KafkaGroupTest, BelowVersion4WhoComesWithoutAnIdIsAMember) {
  for (int16_t version = 0; version <= 3; ++version) {
    const auto joined = Join(Joining(), version);
    EXPECT_EQ(joined.error_code, ErrorCode::kNone) << version;
    EXPECT_THAT(joined.member_id, StartsWith("tester-"));
    EXPECT_EQ(joined.leader, joined.member_id);
    EXPECT_EQ(joined.protocol_name, "range");
    ASSERT_EQ(joined.members.size(), 1U);
    EXPECT_EQ(joined.members[0].metadata, Bytes("wishes"));
    EXPECT_EQ(Leave({{.member_id = joined.member_id}}).error_code, ErrorCode::kNone);
  }
}

TEST_F(KafkaGroupTest, FromVersion4OnItIsToldItsIdFirst) {
  for (int16_t version = 4; version <= 9; ++version) {
    const auto told = Join(Joining(), version);
    EXPECT_EQ(told.error_code, ErrorCode::kMemberIdRequired) << version;
    EXPECT_THAT(told.member_id, StartsWith("tester-"));
    EXPECT_EQ(told.generation_id, -1);
    EXPECT_THAT(told.members, IsEmpty());
    const auto joined = Join(Joining(told.member_id), version);
    EXPECT_EQ(joined.error_code, ErrorCode::kNone) << version;
    EXPECT_EQ(joined.member_id, told.member_id);
    EXPECT_EQ(joined.protocol_name, "range");
    if (version >= 7) {
      EXPECT_EQ(joined.protocol_type, "consumer");
    }
    EXPECT_FALSE(joined.skip_assignment);
    Leave({{.member_id = joined.member_id}});
  }
}

TEST_F(KafkaGroupTest, WithoutAProtocolItsNameIsEmptyAndFromVersion7OnNull) {
  for (int16_t version = 0; version <= 9; ++version) {
    const auto refused = Join(Joining("nobody's"), version);
    EXPECT_EQ(refused.error_code, ErrorCode::kUnknownMemberId);
    EXPECT_EQ(refused.protocol_name, version < 7 ? std::optional<std::string>("") : std::nullopt)
        << version;
    EXPECT_EQ(refused.protocol_type, std::nullopt);
  }
}

// How long others are waited for is told from version 1 on; before, it is the session's time.
TEST_F(KafkaGroupTest, InVersion0TheRebalanceTimeoutIsTheSessions) {
  for (const int16_t version : {int16_t{0}, int16_t{1}}) {
    const auto first = Alone(version);
    const auto second = kafka_.Send(HandleJoinGroup, Joining(), version, at_);
    const Instant began = kafka_.world.time.now();
    // Alive, and deaf to being told that it is to join again.
    while (!second->answer && kafka_.world.time.now() - began < seconds(30)) {
      Beat(first.member_id, first.generation_id);
      kafka_.world.RunFor(milliseconds(500));
    }
    const auto took = kafka_.world.time.now() - began;
    EXPECT_GE(took, version == 0 ? milliseconds(9900) : milliseconds(15900)) << version;
    EXPECT_LE(took, version == 0 ? seconds(11) : seconds(17)) << version;
    EXPECT_EQ(Beat(first.member_id, first.generation_id), ErrorCode::kUnknownMemberId);
    kafka_.world.RunFor(seconds(20));  // the session of the second ends
  }
}

TEST_F(KafkaGroupTest, SomeWaysToJoinAreRefused) {
  JoinGroupRequest request = Joining();
  request.group_id = "";
  EXPECT_EQ(Join(request, 3).error_code, ErrorCode::kInvalidGroupId);
  request = Joining();
  request.session_timeout_ms = 1;
  EXPECT_EQ(Join(request, 3).error_code, ErrorCode::kInvalidSessionTimeout);
  Alone();
  request = Joining();
  request.protocols[0].name = "sticky";
  EXPECT_EQ(Join(request, 3).error_code, ErrorCode::kInconsistentGroupProtocol);
}

TEST_F(KafkaGroupTest, AGroupHasItsLargestSize) {
  kafka_.world.machine(1).Crash();
  kafka_.world.machine(1).config.classic_group_size_max = 1;
  kafka_.world.machine(1).Boot();
  AwaitCoordinator();
  const auto first = Alone();
  const auto refused = Join(Joining(), 3);
  EXPECT_EQ(refused.error_code, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(Beat(first.member_id, first.generation_id), ErrorCode::kNone);
}

TEST_F(KafkaGroupTest, EachMemberGetsItsPart) {
  const auto joined = Join(Joining(), 3);
  SyncGroupRequest request = Syncing(joined.member_id, joined.generation_id);
  request.protocol_type = "consumer";
  request.protocol_name = "sticky";
  EXPECT_EQ(Sync(request).error_code, ErrorCode::kInconsistentGroupProtocol);
  request.protocol_name = "range";
  const auto synced = Sync(request);
  EXPECT_EQ(synced.error_code, ErrorCode::kNone);
  EXPECT_EQ(synced.protocol_type, "consumer");
  EXPECT_EQ(synced.protocol_name, "range");
  EXPECT_EQ(synced.assignment, Bytes("everything"));
  EXPECT_EQ(Sync(Syncing(joined.member_id, joined.generation_id), 0).assignment,
            Bytes("everything"));
  const auto old = Sync(Syncing(joined.member_id, joined.generation_id - 1));
  EXPECT_EQ(old.error_code, ErrorCode::kIllegalGeneration);
  EXPECT_EQ(old.protocol_name, std::nullopt);
  EXPECT_TRUE(old.assignment.empty());
  EXPECT_EQ(Sync(Syncing("nobody", joined.generation_id)).error_code, ErrorCode::kUnknownMemberId);
}

// ---- Heartbeat and LeaveGroup ----------------------------------------------------------------

TEST_F(KafkaGroupTest, AHeartbeatHearsHowTheGroupIs) {
  const auto joined = Alone();
  for (int16_t version = 0; version <= 4; ++version) {
    EXPECT_EQ(Beat(joined.member_id, joined.generation_id, version), ErrorCode::kNone);
  }
  EXPECT_EQ(Beat(joined.member_id, joined.generation_id + 1), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Beat("nobody", joined.generation_id), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Beat("nobody", 1, 4, std::nullopt, ""), ErrorCode::kInvalidGroupId);
  kafka_.Send(HandleJoinGroup, Joining(), 3, at_);
  kafka_.world.RunFor(milliseconds(10));
  EXPECT_EQ(Beat(joined.member_id, joined.generation_id), ErrorCode::kRebalanceInProgress);
}

TEST_F(KafkaGroupOfThreeTest, WhoIsNotTheCoordinatorSaysSo) {
  const int coordinator = at_;
  at_ = at_ == 1 ? 2 : 1;
  EXPECT_EQ(Beat("nobody", 0), ErrorCode::kNotCoordinator);
  EXPECT_EQ(Join(Joining(), 9).error_code, ErrorCode::kNotCoordinator);
  EXPECT_EQ(Sync(Syncing("nobody", 0)).error_code, ErrorCode::kNotCoordinator);
  EXPECT_EQ(Leave({{.member_id = "nobody"}}).error_code, ErrorCode::kNotCoordinator);
  EXPECT_EQ(Commit(Commits("a", 5)), ErrorCode::kNotCoordinator);
  EXPECT_EQ(Described(6).error_code, ErrorCode::kNotCoordinator);
  at_ = coordinator;
}

TEST_F(KafkaGroupTest, AStaticMemberThatWasReplacedIsFenced) {
  JoinGroupRequest joining = Joining();
  joining.group_instance_id = "i";
  const auto before = Alone(5, joining);
  const auto after = Join(joining, 5);
  EXPECT_EQ(after.error_code, ErrorCode::kNone);
  EXPECT_NE(after.member_id, before.member_id);
  EXPECT_EQ(Beat(before.member_id, before.generation_id, 4, "i"), ErrorCode::kFencedInstanceId);
  joining.member_id = before.member_id;
  EXPECT_EQ(Join(joining, 9).error_code, ErrorCode::kFencedInstanceId);
  SyncGroupRequest syncing = Syncing(before.member_id, before.generation_id);
  syncing.group_instance_id = "i";
  EXPECT_EQ(Sync(syncing).error_code, ErrorCode::kFencedInstanceId);
  OffsetCommitRequest commits = Commits("a", 5);
  commits.member_id = before.member_id;
  commits.group_instance_id = "i";
  commits.generation_id_or_member_epoch = before.generation_id;
  EXPECT_EQ(Commit(commits), ErrorCode::kFencedInstanceId);
  const auto left = Leave({{.member_id = before.member_id, .group_instance_id = "i"}});
  EXPECT_EQ(left.members.at(0).error_code, ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Beat(after.member_id, after.generation_id, 4, "i"), ErrorCode::kNone);
}

TEST_F(KafkaGroupTest, BelowVersion3OneMemberLeavesAndTheAnswerIsItsOwn) {
  for (int16_t version = 0; version <= 2; ++version) {
    const auto joined = Alone();
    LeaveGroupRequest request{.group_id = "g", .member_id = "nobody"};
    EXPECT_EQ(kafka_.Ask<LeaveGroupResponse>(HandleLeaveGroup, request, version).error_code,
              ErrorCode::kUnknownMemberId);
    request.member_id = joined.member_id;
    const auto left = kafka_.Ask<LeaveGroupResponse>(HandleLeaveGroup, request, version);
    EXPECT_EQ(left.error_code, ErrorCode::kNone);
    EXPECT_THAT(left.members, IsEmpty());
    EXPECT_EQ(Beat(joined.member_id, joined.generation_id), ErrorCode::kUnknownMemberId);
  }
}

TEST_F(KafkaGroupTest, FromVersion3OnEachThatLeavesHasItsAnswer) {
  JoinGroupRequest joining = Joining();
  joining.group_instance_id = "i";
  const auto joined = Alone(5, joining);
  for (int16_t version = 3; version <= 5; ++version) {
    LeaveGroupRequest request{.group_id = "g"};
    request.members = {{.member_id = "nobody"}, {.member_id = "", .group_instance_id = "j"}};
    if (version == 5) request.members.push_back({.member_id = "", .group_instance_id = "i"});
    const auto left = kafka_.Ask<LeaveGroupResponse>(HandleLeaveGroup, request, version);
    EXPECT_EQ(left.error_code, ErrorCode::kNone);
    ASSERT_EQ(left.members.size(), request.members.size());
    EXPECT_EQ(left.members[0].member_id, "nobody");
    EXPECT_EQ(left.members[0].group_instance_id, std::nullopt);
    EXPECT_EQ(left.members[0].error_code, ErrorCode::kUnknownMemberId);
    EXPECT_EQ(left.members[1].group_instance_id, "j");
    EXPECT_EQ(left.members[1].error_code, ErrorCode::kUnknownMemberId);
    if (version == 5) {
      EXPECT_EQ(left.members[2].error_code, ErrorCode::kNone);
    }
  }
  EXPECT_EQ(Beat(joined.member_id, joined.generation_id), ErrorCode::kUnknownMemberId);
}

}  // namespace
}  // namespace quipu::kafka
