// Goal: whatever clients do, lose and forget, and whenever the coordinator fails over, every member
// of a generation gets the part that its leader made for it, nobody commits for a generation that
// is over, each request is answered once, and the log tells all. Method: random clients, each with
// its own view only, against a core over a log that now and then takes nothing.
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/rng.h"
#include "tests/unit/core/coordinator/classic/classic_fixture.h"

namespace quipu {
namespace {

class RandomClassicTest : public ClassicFixture, public ::testing::WithParamInterface<int> {
 protected:
  enum class Phase { kIdle, kJoining, kJoined, kSyncing, kMember };
  struct Client {
    std::string name;
    bool is_static = false;
    std::string topic = "t";
    Phase phase = Phase::kIdle;
    std::string member_id;
    int32_t generation = -1;
    uint64_t token = 0;
    ClassicJoinAnswer joined;
    // Under which name the leader knows its place.
    [[nodiscard]] const std::string& place() const { return is_static ? name : member_id; }
  };

  RandomClassicTest() : rng_(static_cast<uint64_t>(GetParam())) {
    // What these members give each other nobody else could read.
    options_.migration_policy = GroupMigrationPolicy::kDisabled;
    core_ = GroupCoordinatorCore(options_);
    for (int i = 0; i < 6; ++i) {
      Client& client = clients_.emplace_back();
      client.name = absl::StrCat("c", i);
      client.is_static = i >= 4;
    }
    topics_.Add("u", 2, 3);
  }

  // ---- what a client does on its way into the group ----
  void Join(Client& client) {
    ClassicJoinRequest request = JoinOf(client.name, client.member_id);
    request.protocols[0].metadata = Subscription({client.topic}, std::string(rng_.Below(3), 'x'));
    request.require_known_member_id = rng_.Chance(1, 2);
    request.supports_skip_assignment = rng_.Chance(1, 2);
    if (client.is_static) request.instance_id = client.name;
    client.token = Open(Send(request));
    client.phase = Phase::kJoining;
  }

  void TakeJoin(Client& client) {
    if (!Answered(client.token)) return;
    client.phase = Phase::kIdle;
    if (rng_.Chance(1, 10)) return;  // the answer is lost
    const ClassicJoinAnswer& answer = Joined(client.token);
    if (client.token > last_lost_) {
      newest_generation_ = std::max(newest_generation_, answer.generation);
    }
    switch (answer.error) {
      case ErrorCode::kNone:
        client.joined = answer;
        client.phase = Phase::kJoined;
        client.generation = answer.generation;
        client.member_id = answer.member_id;
        return;
      case ErrorCode::kMemberIdRequired:
        client.member_id = answer.member_id;
        return;
      case ErrorCode::kRebalanceInProgress:
      case ErrorCode::kCoordinatorNotAvailable:
        return;
      default:
        Forget(client, answer.error);
    }
  }

  void Sync(Client& client) {
    ClassicSyncRequest request = SyncOf(client.joined);
    if (client.is_static) request.instance_id = client.name;
    if (client.joined.leader == client.member_id && !client.joined.skip_assignment) {
      ++last_plan_;
      for (const auto& member : client.joined.members) {
        const std::string& place =
            member.instance_id.empty() ? member.member_id : member.instance_id;
        request.assignments.emplace_back(
            member.member_id, absl::StrCat(client.generation, "|", place, "|", last_plan_));
      }
    }
    client.token = Open(Send(request));
    client.phase = Phase::kSyncing;
  }

  void TakeSync(Client& client) {
    if (!Answered(client.token)) return;
    client.phase = Phase::kIdle;
    if (rng_.Chance(1, 10)) return;
    const ClassicSyncAnswer& answer = Synced(client.token);
    if (answer.error != ErrorCode::kNone) {
      if (answer.error != ErrorCode::kRebalanceInProgress) Forget(client, answer.error);
      return;
    }
    client.phase = Phase::kMember;
    const std::vector<std::string> parts = absl::StrSplit(answer.assignment, '|');
    ASSERT_EQ(parts.size(), 3U) << answer.assignment;
    EXPECT_EQ(parts[0], absl::StrCat(client.generation));
    EXPECT_EQ(parts[1], client.place());
    // All members of one generation follow one plan.
    EXPECT_EQ(plan_of_generation_.emplace(client.generation, parts[2]).first->second, parts[2]);
    ++assignments_checked_;
  }

  void Report(Client& client) {
    const ErrorCode error =
        Beat(client.member_id, client.generation, client.is_static ? client.name : "");
    if (error == ErrorCode::kNone) return;
    client.phase = Phase::kIdle;
    if (error != ErrorCode::kRebalanceInProgress) Forget(client, error);
  }

  void Forget(Client& client, ErrorCode error) {
    const std::set<ErrorCode> expected = {
        ErrorCode::kUnknownMemberId, ErrorCode::kIllegalGeneration, ErrorCode::kFencedInstanceId,
        ErrorCode::kCoordinatorNotAvailable, ErrorCode::kInconsistentGroupProtocol};
    EXPECT_TRUE(expected.contains(error)) << error;
    client.member_id.clear();
    client.phase = Phase::kIdle;
  }

  void GoOn(Client& client) {
    switch (client.phase) {
      case Phase::kIdle:
        return Join(client);
      case Phase::kJoining:
        return TakeJoin(client);
      case Phase::kJoined:
        return Sync(client);
      case Phase::kSyncing:
        return TakeSync(client);
      case Phase::kMember:
        return Report(client);
    }
  }

  // With a generation that it was once told.
  void CommitSomething(const Client& client) {
    if (client.member_id.empty() || client.generation < 0) return;
    const ErrorCode error = CommitAs(client.member_id, client.generation, step_);
    const bool is_over = client.generation < newest_generation_;
    EXPECT_FALSE(is_over && error == ErrorCode::kNone);
  }

  void MaybeTryTheOtherProtocol() {
    const bool is_empty = !core_.classic().HasMembers("g");
    const Answer answer = GroupFixture::Join("server-assigned");
    EXPECT_EQ(answer.error_code() == 0, is_empty);
    if (is_empty) Leave("server-assigned");
  }

  void LoseTheCoordinator() {
    refuse_ = ErrorCode::kNone;
    FailOver();
    open_.clear();
    last_lost_ = token_;
    // What was not durable is no generation that counts.
    const auto group = core_.groups().find("g");
    newest_generation_ = group != core_.groups().end() ? group->second.classic.generation : 0;
    for (Client& client : clients_) {
      const bool waits = client.phase == Phase::kJoining || client.phase == Phase::kSyncing;
      if (waits && !Answered(client.token)) client.phase = Phase::kIdle;
    }
  }

  void Step() {
    Client& client = clients_[rng_.Below(clients_.size())];
    refuse_ = rng_.Chance(1, 30) ? ErrorCode::kCoordinatorNotAvailable : ErrorCode::kNone;
    switch (rng_.Below(120)) {
      case 0:  // it dies, and comes back with nothing
        client.phase = Phase::kIdle;
        client.member_id.clear();
        break;
      case 1:
        LeaveBy(client.member_id, client.is_static ? client.name : "");
        client.phase = Phase::kIdle;
        client.member_id.clear();
        break;
      case 2:
        client.topic = rng_.Chance(1, 2) ? "t" : "u";
        break;
      case 3:
        if (client.phase != Phase::kIdle) Join(client);  // it gave up waiting
        break;
      case 4:
        if (rng_.Chance(1, 4)) LoseTheCoordinator();
        break;
      case 5:
        refuse_ = ErrorCode::kNone;
        Append(core_.Snapshot(static_cast<uint64_t>(step_)));
        break;
      case 6:
        refuse_ = ErrorCode::kNone;
        MaybeTryTheOtherProtocol();
        break;
      case 7:
      case 8:
      case 9:
        CommitSomething(client);
        break;
      case 10:
        Pass(static_cast<int64_t>(rng_.Below(20000)));
        break;
      default:
        Pass(static_cast<int64_t>(rng_.Below(300)));
        GoOn(client);
    }
    ++step_;
    // Nothing is left of the group: it begins anew.
    if (core_.groups().contains("g") || core_.classic().Find("g") != nullptr) return;
    plan_of_generation_.clear();
    newest_generation_ = 0;
  }

  uint64_t Open(uint64_t token) {
    open_.insert(token);
    return token;
  }

  Rng rng_;
  std::vector<Client> clients_;
  int step_ = 0;
  int last_plan_ = 0;
  int assignments_checked_ = 0;
  int32_t newest_generation_ = 0;  // that anybody heard of since the last failover
  uint64_t last_lost_ = 0;         // the newest token before that
  std::map<int32_t, std::string> plan_of_generation_;
  std::set<uint64_t> open_;
};

TEST_P(RandomClassicTest, EachMemberGetsWhatItsLeaderMadeForIt) {
  for (int i = 0; i < 5000 && !HasFatalFailure(); ++i) Step();
  EXPECT_GT(assignments_checked_, 50);
  // Nobody says anything any more: all that waits is answered, and the group empties.
  refuse_ = ErrorCode::kNone;
  Pass(1000000);
  for (const uint64_t token : open_) EXPECT_TRUE(Answered(token)) << token;
  EXPECT_FALSE(core_.classic().HasMembers("g")) << core_.DebugString();
  LoseTheCoordinator();
  // Once everybody behaves the group settles.
  StableGroup({"x", "y", "z"});
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomClassicTest, ::testing::Range(0, 60));

}  // namespace
}  // namespace quipu
