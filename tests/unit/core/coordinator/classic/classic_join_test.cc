// Goal: who joins a classic group becomes a member, once everybody is there or time is up, and all
// members hear of the same generation. Method: scripted clients, one rule a test.
#include <ctime>

#include "tests/unit/core/coordinator/classic/classic_fixture.h"

namespace quipu {
namespace {

class ClassicJoinTest : public ClassicFixture {};

TEST_F(ClassicJoinTest, AnEmptyGroupWaitsForMoreMembers) {
  const uint64_t a = Send(JoinOf("a"));
  Pass(2999);
  EXPECT_FALSE(Answered(a));
  EXPECT_EQ(State(), "PreparingRebalance");
  Pass(1);
  ASSERT_TRUE(Answered(a));
  EXPECT_EQ(Joined(a).error, ErrorCode::kNone);
  EXPECT_EQ(Joined(a).generation, 1);
  EXPECT_EQ(Joined(a).leader, Joined(a).member_id);
  EXPECT_EQ(Joined(a).protocol, "range");
  EXPECT_EQ(Joined(a).protocol_type, "consumer");
  ASSERT_EQ(Joined(a).members.size(), 1U);
  EXPECT_EQ(Joined(a).members[0].metadata, Subscription({"t"}, "a"));
  EXPECT_EQ(State(), "CompletingRebalance");
}

TEST_F(ClassicJoinTest, EachNewMemberExtendsTheFirstWait) {
  const uint64_t a = Send(JoinOf("a"));
  Pass(2000);
  const uint64_t b = Send(JoinOf("b"));
  Pass(3900);  // the second delay, begun after 3 s
  EXPECT_FALSE(Answered(a));
  Pass(100);
  ASSERT_TRUE(Answered(a) && Answered(b));
  EXPECT_EQ(Joined(a).members.size(), 2U);
  EXPECT_TRUE(Joined(b).members.empty());  // it does not lead
  EXPECT_EQ(Joined(b).leader, Joined(a).member_id);
}

TEST_F(ClassicJoinTest, TheFirstWaitEndsWithTheRebalanceTimeout) {
  ClassicJoinRequest request = JoinOf("a");
  request.rebalance_timeout_ms = 7000;
  const uint64_t a = Send(request);
  for (int i = 0; i < 6; ++i) {
    Pass(1000);
    request.client_id = "b" + std::to_string(i);
    Send(request);
  }
  EXPECT_FALSE(Answered(a));
  Pass(1000);
  EXPECT_TRUE(Answered(a));
}

TEST_F(ClassicJoinTest, WithoutADelayTheFirstMemberGoesOnAtOnce) {
  options_.classic_initial_rebalance_delay_ms = 0;
  core_ = GroupCoordinatorCore(options_);
  EXPECT_TRUE(Answered(Send(JoinOf("a"))));
}

TEST_F(ClassicJoinTest, AMemberIdIsToldFirst) {
  ClassicJoinRequest request = JoinOf("a");
  request.require_known_member_id = true;
  const uint64_t first = Send(request);
  EXPECT_EQ(ErrorOf(first), ErrorCode::kMemberIdRequired);
  request.member_id = Joined(first).member_id;
  EXPECT_EQ(request.member_id.rfind("a-", 0), 0U);
  const uint64_t second = Send(request);
  Pass(3000);
  EXPECT_EQ(ErrorOf(second), ErrorCode::kNone);
  EXPECT_EQ(Joined(second).member_id, request.member_id);
}

TEST_F(ClassicJoinTest, AMemberIdThatIsNotTakenUpIsForgotten) {
  ClassicJoinRequest request = JoinOf("a");
  request.require_known_member_id = true;
  request.member_id = Joined(Send(request)).member_id;
  Pass(10000);
  EXPECT_EQ(State(), "none");
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kUnknownMemberId);
  EXPECT_FALSE(core_.NextDeadline().has_value());
}

TEST_F(ClassicJoinTest, ARebalanceWaitsForThosePending) {
  const auto joined = StableGroup({"a"});
  ClassicJoinRequest request = JoinOf("b");
  request.require_known_member_id = true;
  const std::string b = Joined(Send(request)).member_id;
  const uint64_t a = Send(JoinOf("a", joined[0].member_id));
  EXPECT_FALSE(Answered(a));
  request.member_id = b;
  const uint64_t joined_b = Send(request);
  EXPECT_TRUE(Answered(joined_b));
  EXPECT_EQ(Joined(a).members.size(), 2U);
}

TEST_F(ClassicJoinTest, ALeavingPendingMemberIsNotWaitedFor) {
  const auto joined = StableGroup({"a"});
  ClassicJoinRequest request = JoinOf("b");
  request.require_known_member_id = true;
  const std::string b = Joined(Send(request)).member_id;
  const uint64_t a = Send(JoinOf("a", joined[0].member_id));
  EXPECT_EQ(LeaveBy(b), ErrorCode::kNone);
  EXPECT_TRUE(Answered(a));
}

TEST_F(ClassicJoinTest, ANewMemberStartsARebalanceThatOthersHearOf) {
  const auto joined = StableGroup({"a"});
  const std::string& a = joined[0].member_id;
  EXPECT_EQ(Beat(a, 1), ErrorCode::kNone);
  const uint64_t b = Send(JoinOf("b"));
  EXPECT_EQ(Beat(a, 1), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(Answered(b));
  const uint64_t again = Send(JoinOf("a", a));
  ASSERT_TRUE(Answered(b) && Answered(again));
  EXPECT_EQ(Joined(b).generation, 2);
  EXPECT_EQ(Joined(again).generation, 2);
  EXPECT_EQ(Joined(again).members.size(), 2U);
  EXPECT_EQ(Beat(a, 1), ErrorCode::kIllegalGeneration);
}

TEST_F(ClassicJoinTest, WhoDoesNotJoinAgainInTimeIsOut) {
  const auto joined = StableGroup({"a", "b"});
  const uint64_t again = Send(JoinOf("a", joined[0].member_id));
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(Beat(joined[1].member_id, 1), ErrorCode::kRebalanceInProgress);
    Pass(4990);
  }
  EXPECT_FALSE(Answered(again));
  Pass(200);
  ASSERT_TRUE(Answered(again));
  EXPECT_EQ(Joined(again).members.size(), 1U);
  EXPECT_EQ(Beat(joined[1].member_id, 1), ErrorCode::kUnknownMemberId);
}

TEST_F(ClassicJoinTest, ASilentMemberIsOutAfterItsSession) {
  const auto joined = StableGroup({"a", "b"});
  Pass(6000);
  EXPECT_EQ(Beat(joined[0].member_id, 1), ErrorCode::kNone);
  Pass(4000);
  EXPECT_EQ(State(), "PreparingRebalance");
  EXPECT_EQ(Beat(joined[1].member_id, 1), ErrorCode::kUnknownMemberId);
  const uint64_t again = Send(JoinOf("a", joined[0].member_id));
  EXPECT_EQ(Joined(again).members.size(), 1U);
}

TEST_F(ClassicJoinTest, AMemberThatWaitsDoesNotHaveToReport) {
  const auto joined = StableGroup({"a", "b"});
  const uint64_t again = Send(JoinOf("a", joined[0].member_id));
  Pass(9000);
  Beat(joined[1].member_id, 1);
  Pass(9000);
  EXPECT_FALSE(Answered(again));
  EXPECT_EQ(core_.classic().Find("g")->members.size(), 2U);
}

TEST_F(ClassicJoinTest, ANewMemberThatNeverHearsIsGivenUpAtLast) {
  options_.classic_new_member_timeout_ms = 20000;
  core_ = GroupCoordinatorCore(options_);
  StableGroup({"a"});
  const uint64_t b = Send(JoinOf("b"));
  for (int i = 0; i < 4; ++i) {
    Beat(core_.classic().Find("g")->leader, 1);
    Pass(5000);
  }
  EXPECT_EQ(ErrorOf(b), ErrorCode::kUnknownMemberId);
}

TEST_F(ClassicJoinTest, AFollowerThatSaysTheSameIsAnsweredAtOnce) {
  const auto joined = StableGroup({"a", "b"});
  const uint64_t again = Send(JoinOf("b", joined[1].member_id));
  ASSERT_TRUE(Answered(again));
  EXPECT_EQ(Joined(again).generation, 1);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(ClassicJoinTest, AFollowerThatSaysSomethingElseStartsARebalance) {
  const auto joined = StableGroup({"a", "b"});
  ClassicJoinRequest request = JoinOf("b", joined[1].member_id);
  request.protocols[0].metadata = Subscription({"t", "u"});
  EXPECT_FALSE(Answered(Send(request)));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicJoinTest, TheLeaderThatJoinsAgainStartsARebalance) {
  const auto joined = StableGroup({"a", "b"});
  const uint64_t again = Send(JoinOf("a", joined[0].member_id));
  EXPECT_FALSE(Answered(again));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicJoinTest, ALostAnswerIsGivenAgain) {
  const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
  const uint64_t again = Send(JoinOf("a", joined[0].member_id));
  ASSERT_TRUE(Answered(again));
  EXPECT_EQ(Joined(again).generation, 1);
  EXPECT_EQ(Joined(again).members.size(), 2U);
  EXPECT_EQ(State(), "CompletingRebalance");
}

TEST_F(ClassicJoinTest, ALaterJoinOfAMemberTakesThePlaceOfTheOneBefore) {
  const auto joined = StableGroup({"a", "b"});
  const uint64_t first = Send(JoinOf("a", joined[0].member_id));
  const uint64_t second = Send(JoinOf("a", joined[0].member_id));
  EXPECT_EQ(ErrorOf(first), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(Answered(second));
  Send(JoinOf("b", joined[1].member_id));
  EXPECT_EQ(ErrorOf(second), ErrorCode::kNone);
}

TEST_F(ClassicJoinTest, WithoutACommonProtocolNobodyJoins) {
  StableGroup({"a"});
  ClassicJoinRequest request = JoinOf("b");
  request.protocols[0].name = "sticky";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  request = JoinOf("b");
  request.protocol_type = "connect";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  request = JoinOf("b");
  request.protocols.clear();
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(ClassicJoinTest, AGroupIsNotMadeByARefusedJoin) {
  ClassicJoinRequest request = JoinOf("a");
  request.protocol_type = "";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(ErrorOf(Send(JoinOf("a", "made-up"))), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(State(), "none");
}

TEST_F(ClassicJoinTest, MembersVoteAmongTheProtocolsThatAllKnow) {
  std::vector<ClassicJoinRequest> requests = {JoinOf("a"), JoinOf("b"), JoinOf("c")};
  requests[0].protocols = {{"sticky", "1"}, {"range", "2"}, {"roundrobin", "3"}};
  requests[1].protocols = {{"roundrobin", "4"}, {"range", "5"}};
  requests[2].protocols = {{"only-c", "6"}, {"roundrobin", "7"}, {"range", "8"}};
  const auto joined = JoinAll(requests);
  EXPECT_EQ(joined[0].protocol, "roundrobin");
  ASSERT_EQ(joined[0].members.size(), 3U);
  for (const auto& member : joined[0].members) {
    EXPECT_EQ(member.metadata, member.member_id[0] == 'a'   ? "3"
                               : member.member_id[0] == 'b' ? "4"
                                                            : "7");
  }
}

TEST_F(ClassicJoinTest, SessionTimeoutsHaveBounds) {
  ClassicJoinRequest request = JoinOf("a");
  request.session_timeout_ms = 999;
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidSessionTimeout);
  request.session_timeout_ms = 1800001;
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidSessionTimeout);
  request.session_timeout_ms = 1800000;
  EXPECT_FALSE(Answered(Send(request)));
}

TEST_F(ClassicJoinTest, WithoutARebalanceTimeoutTheSessionsCounts) {
  ClassicJoinRequest request = JoinOf("a");
  request.rebalance_timeout_ms = -1;
  Send(request);
  EXPECT_EQ(core_.classic().Find("g")->RebalanceTimeoutMs(), 10000);
}

TEST_F(ClassicJoinTest, LimitsAreKept) {
  options_.classic_members_per_group_max = 2;
  options_.classic_pending_members_per_group_max = 1;
  options_.classic_protocols_per_member_max = 2;
  options_.classic_metadata_bytes_max = 1000;
  options_.classic_group_bytes_max = 2000;
  options_.groups_max = 1;
  core_ = GroupCoordinatorCore(options_);
  ClassicJoinRequest request = JoinOf("c");
  request.protocols.resize(3, {.name = "x", .metadata = ""});
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidRequest);
  request = JoinOf("c");
  request.protocols[0].metadata.assign(1001, 'm');
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidRequest);
  request = JoinOf("c");
  request.client_id = "\xff";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidRequest);
  request = JoinOf("c");
  request.group_id = "";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidGroupId);

  request = JoinOf("a");
  request.protocols[0].metadata.assign(1000, 'm');
  Send(request);
  request.client_id = "b";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kGroupMaxSizeReached);  // too many bytes
  Send(JoinOf("b"));
  EXPECT_EQ(ErrorOf(Send(JoinOf("c"))), ErrorCode::kGroupMaxSizeReached);
  Pass(6000);
  EXPECT_EQ(ErrorOf(Send(JoinOf("c"))), ErrorCode::kGroupMaxSizeReached);
  request = JoinOf("a");
  request.group_id = "h";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kGroupMaxSizeReached);
}

TEST_F(ClassicJoinTest, PendingMembersAreCountedToo) {
  options_.classic_pending_members_per_group_max = 1;
  core_ = GroupCoordinatorCore(options_);
  ClassicJoinRequest request = JoinOf("a");
  request.require_known_member_id = true;
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kMemberIdRequired);
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kGroupMaxSizeReached);
}

TEST_F(ClassicJoinTest, ALongClientNameIsShortenedBetweenCharacters) {
  ClassicJoinRequest request = JoinOf("");
  for (int i = 0; i < 200; ++i) request.client_id += "\xc3\xa9";
  const uint64_t token = Send(request);
  Pass(3000);
  EXPECT_EQ(ErrorOf(token), ErrorCode::kNone);
  SyncAll({Joined(token)});  // its record holds text
  EXPECT_EQ(core_.groups().at("g").classic.members.begin()->second.client_id.size(), 248U);
}

// Names that all but the last member know: whoever compared each with each would be at it for long.
TEST_F(ClassicJoinTest, ManyMembersWithManyProtocolsAgreeFast) {
  constexpr int kMembers = 1000;
  constexpr int kProtocols = 100;
  options_.bytes_max = size_t{1} << 30;
  options_.incarnation = 7;
  core_ = GroupCoordinatorCore(options_);
  ClassicJoinRequest request = JoinOf("c");
  request.protocols.clear();
  for (int i = 0; i + 1 < kProtocols; ++i) {
    request.protocols.push_back(
        {.name = std::string(246, 'p') + std::to_string(100 + i), .metadata = ""});
  }
  request.protocols.push_back({.name = "common", .metadata = Subscription({"t"})});
  ClassicJoinRequest odd = JoinOf("z");
  odd.protocols[0].name = "common";
  const std::clock_t began = std::clock();
  uint64_t token = 0;
  // Without the fixture's checks, which go over all members each time.
  for (int i = 0; i < kMembers; ++i) {
    const GroupRecords records =
        core_.JoinGroup(++token, i + 1 < kMembers ? request : odd, now_, topics_);
    EXPECT_TRUE(records.empty());
    EXPECT_TRUE(core_.FinishClassic(ErrorCode::kNone, now_).empty());
  }
  size_t joined = 0;
  while (core_.classic().Find("g")->state == ClassicGroupState::kPreparingRebalance) {
    now_.mono = std::max(now_.mono, *core_.NextDeadline());
    EXPECT_TRUE(core_.OnTime(now_, topics_).empty());
    for (const ClassicReply& reply : core_.FinishClassic(ErrorCode::kNone, now_)) {
      EXPECT_EQ(std::get<ClassicJoinAnswer>(reply.answer).protocol, "common");
      ++joined;
    }
  }
  EXPECT_EQ(joined, size_t{kMembers});
  EXPECT_LT((std::clock() - began) / CLOCKS_PER_SEC, 5);
  core_.CheckInvariants();
}

// Of protocols that all know the one that most name first among these; of equals the first by name.
TEST_F(ClassicJoinTest, VotesAreForWhatAllKnow) {
  ClassicGroup group;
  const auto add = [&group](const std::string& id, const std::vector<std::string>& names) {
    LiveClassicMember member;
    for (const std::string& name : names)
      member.protocols.push_back({.name = name, .metadata = ""});
    group.Add(id, std::move(member));
  };
  add("a", {"own", "x", "y"});
  add("b", {"y", "x", "y"});
  EXPECT_EQ(group.SelectProtocol(), "x");
  add("c", {"y", "x"});
  EXPECT_EQ(group.SelectProtocol(), "y");
  group.Alter(
      "c", [](LiveClassicMember& member) { member.protocols = {{.name = "x", .metadata = ""}}; });
  EXPECT_EQ(group.SelectProtocol(), "x");
  group.Remove("c");
  group.Rename("a", "d");
  EXPECT_EQ(group.SelectProtocol(), "x");
  group.CheckCounts();
}

// All that members hold counts, of all groups together; members stay who are there.
TEST_F(ClassicJoinTest, MembersBeyondTheBytesAreRefused) {
  options_.bytes_max = 30000;
  core_ = GroupCoordinatorCore(options_);
  ClassicJoinRequest request = JoinOf("a");
  for (int i = 0; i < 10; ++i) {
    request.protocols.push_back(
        {.name = "p" + std::to_string(i), .metadata = std::string(1000, 'm')});
  }
  const uint64_t first = Send(request);
  request.group_id = "h";
  Send(request);
  request.client_id = "b";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kGroupMaxSizeReached);
  Pass(9000);
  EXPECT_EQ(ErrorOf(first), ErrorCode::kNone);
  // A member that joins again may say more of itself than before, where a new one has no room.
  ClassicJoinRequest more = JoinOf("a", Joined(first).member_id);
  more.protocols = request.protocols;
  for (int i = 10; i < 15; ++i) {
    more.protocols.push_back({.name = "p" + std::to_string(i), .metadata = std::string(1000, 'm')});
  }
  EXPECT_EQ(ErrorOf(Send(more)), ErrorCode::kNone);
  EXPECT_GT(core_.held_bytes(), options_.bytes_max);
  request = JoinOf("a", Joined(first).member_id);
  const uint64_t again = Send(request);
  EXPECT_EQ(ErrorOf(again), ErrorCode::kNone);
  // What its leader assigns has to have room, too.
  const std::string& leader = Joined(again).member_id;
  EXPECT_EQ(ErrorOf(Send(SyncOf(Joined(again), {{leader, std::string(40000, 'a')}}))),
            ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(Send(SyncOf(Joined(again), {{leader, std::string(900, 'a')}}))),
            ErrorCode::kNone);
  EXPECT_EQ(LeaveBy(leader), ErrorCode::kNone);
  Pass(700000);
  EXPECT_EQ(core_.held_bytes(), 0U);
}

}  // namespace
}  // namespace quipu
