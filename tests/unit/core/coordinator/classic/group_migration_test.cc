// A group with members goes over to assignment by the server, and back.
#include <algorithm>
#include <set>

#include "core/coordinator/classic/consumer_protocol.h"
#include "tests/unit/core/coordinator/classic/classic_fixture.h"

namespace quipu {
namespace {

using Indices = std::vector<int32_t>;

class MigrationTest : public ClassicFixture {
 protected:
  // What a client would do: gives up everything before it joins again, and holds what it fetched.
  struct Client {
    std::string name;
    std::string member_id = {};
    std::string instance_id = {};
    bool cooperative = false;
    int32_t generation = -1;
    Indices holds = {};
  };

  static std::string Metadata(const Client& client) {
    NamedPartitions owned;
    if (!client.holds.empty()) owned.emplace_back("t", client.holds);
    return EncodeSubscription({"t"}, owned, client.generation);
  }

  // Joins and fetches, as often as the coordinator wants.
  ErrorCode JoinAndSync(Client& client) {
    for (int round = 0; round < 10; ++round) {
      if (!client.cooperative) client.holds.clear();
      ClassicJoinRequest request = JoinOf(client.name, client.member_id);
      request.instance_id = client.instance_id;
      request.protocols = {{.name = client.cooperative ? "cooperative-sticky" : "range",
                            .metadata = Metadata(client)}};
      const uint64_t token = Send(request);
      if (!Answered(token)) return ErrorCode::kRebalanceInProgress;
      const ClassicJoinAnswer joined = Joined(token);
      if (joined.error != ErrorCode::kNone) return joined.error;
      EXPECT_TRUE(joined.leader.empty());
      client.member_id = joined.member_id;
      client.generation = joined.generation;
      ClassicSyncRequest sync = SyncOf(joined);
      sync.instance_id = client.instance_id;
      const ClassicSyncAnswer synced = Synced(Send(sync));
      if (synced.error == ErrorCode::kRebalanceInProgress) continue;
      if (synced.error != ErrorCode::kNone) return synced.error;
      Indices given = PartitionsIn(synced.assignment);
      const bool gives_up =
          !std::includes(given.begin(), given.end(), client.holds.begin(), client.holds.end());
      client.holds = given;
      if (!client.cooperative || !gives_up) return ErrorCode::kNone;
    }
    return ErrorCode::kUnknownServerError;
  }

  // Everybody does what it is told until nobody is told anything.
  void SettleAll(std::vector<Client*> clients, std::map<std::string, Answer>& servers) {
    for (int round = 0; round < 30; ++round) {
      bool moved = false;
      for (Client* client : clients) {
        const ErrorCode told = Beat(client->member_id, client->generation, client->instance_id);
        if (told == ErrorCode::kNone) continue;
        ASSERT_EQ(told, ErrorCode::kRebalanceInProgress) << core_.DebugString();
        ASSERT_EQ(JoinAndSync(*client), ErrorCode::kNone) << core_.DebugString();
        moved = true;
      }
      for (auto& [member, last] : servers) {
        Answer next = Follow(member, last);
        ASSERT_EQ(next.error_code(), 0) << member;
        moved = moved || next.SerializeAsString() != last.SerializeAsString();
        last = next;
      }
      if (!moved) return;
      CheckNobodySharesAnything(clients, servers);
    }
    FAIL() << core_.DebugString();
  }

  static void CheckNobodySharesAnything(const std::vector<Client*>& clients,
                                        const std::map<std::string, Answer>& servers) {
    std::set<int32_t> held;
    for (const Client* client : clients) {
      for (const int32_t index : client->holds) EXPECT_TRUE(held.insert(index).second) << index;
    }
    for (const auto& [member, answer] : servers) {
      for (const auto& topic : answer.assignment()) {
        for (const int32_t index : topic.partitions()) {
          EXPECT_TRUE(held.insert(index).second) << index;
        }
      }
    }
  }

  static Indices PartitionsIn(const std::string& assignment) {
    const auto named = AssignedPartitionsIn(assignment);
    QUIPU_CHECK(named.has_value() && named->size() <= 1);
    return named->empty() ? Indices() : named->front().second;
  }

  // A classic group of two eager members with partitions 0 to 2 and 3 to 5.
  std::pair<Client, Client> TwoMembers() {
    const auto joined = JoinAll({JoinOf("a"), JoinOf("b")});
    Send(SyncOf(joined[1]));
    Send(SyncOf(joined[0], {{joined[0].member_id, Assignment("t", {0, 1, 2})},
                            {joined[1].member_id, Assignment("t", {3, 4, 5})}}));
    EXPECT_EQ(State(), "Stable");
    return {{.name = "a",
             .member_id = joined[0].member_id,
             .generation = joined[0].generation,
             .holds = {0, 1, 2}},
            {.name = "b",
             .member_id = joined[1].member_id,
             .generation = joined[1].generation,
             .holds = {3, 4, 5}}};
  }

  [[nodiscard]] std::string Kind() const {
    message::DescribeGroupRequest request;
    request.set_group_id("g");
    return core_.Describe(request, topics_).response.kind();
  }
};

TEST_F(MigrationTest, NobodyGetsWhatAClassicMemberStillHolds) {
  auto [a, b] = TwoMembers();
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  EXPECT_EQ(servers["s"].error_code(), 0);
  EXPECT_EQ(Count(servers["s"]), 0U);  // all six are held
  EXPECT_EQ(Kind(), "consumer");
  // Their generation is still good for a commit of what they hold.
  EXPECT_EQ(CommitOffset(a.member_id, a.generation, topic_, 0, 10), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset(a.member_id, a.generation, topic_, 3, 10), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Beat(a.member_id, a.generation), ErrorCode::kRebalanceInProgress);
  FailOver();
  SettleAll({&a, &b}, servers);
  EXPECT_EQ(a.holds.size(), 2U);
  EXPECT_EQ(b.holds.size(), 2U);
  EXPECT_EQ(Count(servers["s"]), 2U);
  EXPECT_EQ(CommitOffset(a.member_id, a.generation - 1, topic_, a.holds[0], 11),
            ErrorCode::kIllegalGeneration);
  EXPECT_EQ(CommitOffset(a.member_id, a.generation, topic_, a.holds[0], 11), ErrorCode::kNone);
  FailOver();
  SettleAll({&a, &b}, servers);
}

// Kafka's tools know the classic description alone.
TEST_F(MigrationTest, WhoOwnsWhatIsToldInTheClassicFormToo) {
  auto [a, b] = TwoMembers();
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  SettleAll({&a, &b}, servers);
  message::DescribeGroupRequest request;
  request.set_group_id("g");
  const auto response = core_.Describe(request, topics_).response;
  EXPECT_EQ(response.kind(), "consumer");
  std::map<std::string, Indices> owned;
  for (const auto& member : response.members()) {
    owned[member.member_id()] = PartitionsIn(member.classic_assignment());
    EXPECT_EQ(SubscribedTopicsIn(member.classic_metadata()), TopicNames({"t"}));
    const auto claimed = OwnedPartitionsIn(member.classic_metadata());
    ASSERT_TRUE(claimed.has_value() && claimed->size() == 1);
    EXPECT_EQ(claimed->front().second, owned[member.member_id()]);
  }
  ASSERT_EQ(owned.size(), 3U);
  EXPECT_EQ(owned[a.member_id], a.holds);
  EXPECT_EQ(owned[b.member_id], b.holds);
  EXPECT_EQ(owned["s"].size(), 2U);
}

TEST_F(MigrationTest, GoesBackWhenTheLastOneOfTheServersHasLeft) {
  auto [a, b] = TwoMembers();
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  SettleAll({&a, &b}, servers);
  Leave("s");
  EXPECT_EQ(Kind(), "classic");
  EXPECT_EQ(State(), "PreparingRebalance");
  // What they hold they may still commit before they join.
  EXPECT_EQ(CommitOffset(a.member_id, a.generation, topic_, a.holds[0], 12), ErrorCode::kNone);
  FailOver();
  EXPECT_EQ(State(), "PreparingRebalance");
  EXPECT_EQ(Beat(a.member_id, a.generation), ErrorCode::kRebalanceInProgress);
  const uint64_t first = Send(JoinOf("a", a.member_id));
  EXPECT_FALSE(Answered(first));
  const uint64_t second = Send(JoinOf("b", b.member_id));
  ASSERT_EQ(ErrorOf(first), ErrorCode::kNone);
  ASSERT_EQ(ErrorOf(second), ErrorCode::kNone);
  EXPECT_GT(Joined(first).generation, a.generation);
  EXPECT_EQ(Joined(first).leader, Joined(second).leader);
  SyncAll({Joined(first), Joined(second)});
  EXPECT_EQ(State(), "Stable");
  FailOver();
  EXPECT_EQ(State(), "Stable");
}

TEST_F(MigrationTest, WhoDoesNotJoinAfterTheWayBackIsRemoved) {
  auto [a, b] = TwoMembers();
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  SettleAll({&a, &b}, servers);
  Leave("s");
  FailOver();
  Pass(1000);
  const uint64_t first = Send(JoinOf("a", a.member_id));
  Pass(70000);
  ASSERT_TRUE(Answered(first));
  EXPECT_EQ(Joined(first).members.size(), 1U);
}

TEST_F(MigrationTest, ASilentMemberOfTheServersLetsTheGroupGoBack) {
  auto [a, b] = TwoMembers();
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  SettleAll({&a, &b}, servers);
  for (int i = 0; i < 5; ++i) {
    Pass(4000);
    Beat(a.member_id, a.generation);
    Beat(b.member_id, b.generation);
  }
  EXPECT_EQ(Kind(), "classic");
}

TEST_F(MigrationTest, WhoIsToldToJoinAndDoesNotLosesItsPlace) {
  auto [a, b] = TwoMembers();
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  for (int i = 0; i < 16; ++i) {
    Pass(4000);
    Beat(a.member_id, a.generation);
    ASSERT_EQ(JoinAndSync(b), ErrorCode::kNone);
    servers["s"] = Follow("s", servers["s"]);
  }
  EXPECT_EQ(Beat(a.member_id, a.generation), ErrorCode::kUnknownMemberId);
  SettleAll({&b}, servers);
  EXPECT_EQ(b.holds.size() + Count(servers["s"]), 6U);
}

TEST_F(MigrationTest, CooperativeMembersKeepWhatTheyMay) {
  Client a{.name = "a", .cooperative = true};
  ClassicJoinRequest request = JoinOf("a");
  request.protocols = {{.name = "cooperative-sticky", .metadata = Metadata(a)}};
  const auto joined = JoinAll({request});
  Send(SyncOf(joined[0], {{joined[0].member_id, Assignment("t", {0, 1, 2, 3, 4, 5})}}));
  a.member_id = joined[0].member_id;
  a.generation = joined[0].generation;
  a.holds = {0, 1, 2, 3, 4, 5};
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  SettleAll({&a}, servers);
  EXPECT_EQ(a.holds.size(), 3U);
  EXPECT_EQ(Count(servers["s"]), 3U);
}

// A member that the last assignment took something from may hold it until it joins again.
TEST_F(MigrationTest, WhatIsOwedToOthersIsStillHeld) {
  Client a{.name = "a", .cooperative = true, .holds = {0, 1, 2, 3, 4, 5}};
  ClassicJoinRequest request = JoinOf("a");
  request.protocols = {{.name = "cooperative-sticky", .metadata = Metadata(a)}};
  const auto joined = JoinAll({request});
  Send(SyncOf(joined[0], {{joined[0].member_id, Assignment("t", {0, 1})}}));
  Answer s = Join("s");
  EXPECT_EQ(Count(s), 0U) << core_.DebugString();
}

TEST_F(MigrationTest, WhoWaitsInTheClassicGroupJoinsAgain) {
  auto [a, b] = TwoMembers();
  const uint64_t waits = Send(JoinOf("c"));
  EXPECT_FALSE(Answered(waits));
  Answer s = Join("s");
  for (ClassicReply& reply : core_.TakeClassicReplies()) {
    answers_.emplace(reply.token, std::move(reply.answer));
  }
  EXPECT_EQ(ErrorOf(waits), ErrorCode::kRebalanceInProgress);
  std::map<std::string, Answer> servers{{"s", s}};
  Client c{.name = "c"};
  ASSERT_EQ(JoinAndSync(c), ErrorCode::kNone);
  SettleAll({&a, &b, &c}, servers);
  EXPECT_EQ(a.holds.size() + b.holds.size() + c.holds.size() + Count(servers["s"]), 6U);
}

TEST_F(MigrationTest, StaticMembersChangeTheirProtocolInPlace) {
  Client a{.name = "a", .instance_id = "i"};
  ClassicJoinRequest request = JoinOf("a");
  request.instance_id = "i";
  const auto joined = JoinAll({request});
  Send(SyncOf(joined[0], {{joined[0].member_id, Assignment("t", {0, 1, 2, 3, 4, 5})}}));
  a.member_id = joined[0].member_id;
  a.generation = joined[0].generation;
  // The process restarts with the other protocol: it has all that it had at once.
  message::GroupHeartbeatRequest join = JoinRequest("s", {"t"});
  join.set_instance_id("i");
  const Answer s = Heartbeat(join);
  ASSERT_EQ(s.error_code(), 0);
  EXPECT_EQ(Count(s), 6U) << core_.DebugString();
  EXPECT_EQ(Beat(a.member_id, a.generation, "i"), ErrorCode::kFencedInstanceId);
  // And back.
  EXPECT_EQ(JoinAndSync(a), ErrorCode::kFencedInstanceId);
  a.member_id.clear();
  EXPECT_EQ(JoinAndSync(a), ErrorCode::kRebalanceInProgress);  // the group goes back first
  EXPECT_EQ(Kind(), "classic");
  EXPECT_EQ(Heartbeat(Request("s", s.member_epoch())).error_code(),
            static_cast<int32_t>(ErrorCode::kUnknownMemberId));
  request.member_id.clear();
  const uint64_t token = Send(request);
  ASSERT_TRUE(Answered(token));
  EXPECT_EQ(Joined(token).error, ErrorCode::kNone);
}

TEST_F(MigrationTest, NewClassicMembersJoinAGroupOfTheServers) {
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  servers["s"] = Follow("s", servers["s"]);
  EXPECT_EQ(Count(servers["s"]), 6U);
  ClassicJoinRequest request = JoinOf("a");
  request.require_known_member_id = true;
  const ClassicJoinAnswer told = Joined(Send(request));
  EXPECT_EQ(told.error, ErrorCode::kMemberIdRequired);
  Client a{.name = "a", .member_id = told.member_id};
  ASSERT_EQ(JoinAndSync(a), ErrorCode::kNone);
  EXPECT_TRUE(a.holds.empty());
  SettleAll({&a}, servers);
  EXPECT_EQ(a.holds.size(), 3U);
  // One that was a member long ago and still holds something starts over.
  Client old{.name = "o", .member_id = "gone", .cooperative = true, .holds = {1}};
  EXPECT_EQ(JoinAndSync(old), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(LeaveBy(a.member_id), ErrorCode::kNone);
  SettleAll({}, servers);
  EXPECT_EQ(Count(servers["s"]), 6U);
}

TEST_F(MigrationTest, WhoCannotBeUnderstoodIsRefused) {
  ClassicJoinRequest request = JoinOf("a");
  request.protocols = {{.name = "range", .metadata = "?"}};
  const auto joined = JoinAll({request});
  SyncAll(joined);
  EXPECT_EQ(Join("s").error_code(), static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
  EXPECT_EQ(Kind(), "classic");
  EXPECT_EQ(LeaveBy(joined[0].member_id), ErrorCode::kNone);
  EXPECT_EQ(Join("s").error_code(), 0);
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  request.protocols = {{.name = "range", .metadata = EncodeSubscription({""}, {}, -1)}};
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidRequest);
  request = JoinOf("a");
  request.protocol_type = "connect";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
  // Assignors in which nobody could ever agree.
  Client a{.name = "a"};
  ASSERT_EQ(JoinAndSync(a), ErrorCode::kNone);
  request = JoinOf("b");
  request.protocols[0].name = "other";
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInconsistentGroupProtocol);
}

// Such bytes would make the coordinator's log unreadable.
TEST_F(MigrationTest, WhatNoRecordCouldHoldIsRefused) {
  ClassicJoinRequest request = JoinOf("a");
  request.protocols = {{.name = "range", .metadata = EncodeSubscription({"\xff"}, {}, -1)}};
  const auto joined = JoinAll({request});
  SyncAll(joined);
  EXPECT_EQ(Join("s").error_code(), static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
  EXPECT_EQ(LeaveBy(joined[0].member_id), ErrorCode::kNone);
  EXPECT_EQ(Join("s").error_code(), 0);
  EXPECT_EQ(ErrorOf(Send(request)), ErrorCode::kInvalidRequest);
  EXPECT_EQ(ErrorOf(Send(JoinOf("a", "\xff"))), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(ErrorOf(Send(JoinOf("a", std::string(300, 'x')))), ErrorCode::kUnknownMemberId);
  FailOver();
}

TEST_F(MigrationTest, APolicyMayForbidEither) {
  options_.migration_policy = GroupMigrationPolicy::kDowngrade;
  core_ = GroupCoordinatorCore(options_);
  TwoMembers();
  EXPECT_EQ(Join("s").error_code(), static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
  options_.migration_policy = GroupMigrationPolicy::kUpgrade;
  FailOver();
  EXPECT_EQ(Join("s").error_code(), 0);
  EXPECT_EQ(Leave("s").error_code(), 0);
  EXPECT_EQ(Kind(), "consumer");  // with members of the classic protocol alone
}

TEST_F(MigrationTest, WhatIsNotWrittenDidNotHappen) {
  std::map<std::string, Answer> servers;
  servers["s"] = Join("s");
  const std::string before = core_.DebugString();
  refuse_ = ErrorCode::kCoordinatorNotAvailable;
  Client a{.name = "a"};
  EXPECT_EQ(JoinAndSync(a), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(core_.DebugString(), before);
  refuse_ = ErrorCode::kNone;
  ASSERT_EQ(JoinAndSync(a), ErrorCode::kNone);
  SettleAll({&a}, servers);
}

}  // namespace
}  // namespace quipu
