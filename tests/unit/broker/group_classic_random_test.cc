// Goal: whatever happens to brokers, the members of one generation of a classic group follow one
// plan of their leader, every answer comes once, and when all is well again the group settles.
// Method: clients with random timing against three brokers on virtual time, one of which dies now
// and then.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/rng.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using testing::FakeWorld;

class ClassicUnderFireTest : public ::testing::TestWithParam<int> {
 protected:
  static constexpr int kBrokers = 3;

  enum class Phase { kAway, kJoining, kJoined, kSyncing, kMember };
  struct Client {
    std::string name;
    bool is_static = false;
    Phase phase = Phase::kAway;
    int coordinator = 0;  // 0: not known
    std::string member_id;
    ClassicJoinAnswer joined;
    Instant asked_at;
    std::shared_ptr<std::optional<ClassicAnswer>> slot;
    [[nodiscard]] std::string instance() const { return is_static ? name : ""; }
    [[nodiscard]] const std::string& place() const { return is_static ? name : member_id; }
  };

  ClassicUnderFireTest() : rng_(static_cast<uint64_t>(GetParam())), world_(kBrokers) {
    for (int i = 0; i < 4; ++i) {
      Client& client = clients_.emplace_back();
      client.name = absl::StrCat("c", i);
      client.is_static = i == 3;
    }
  }

  // Where the answer to the client's next request comes in, once.
  template <typename Answer>
  std::function<void(Answer)> Ask(Client& client) {
    client.slot = std::make_shared<std::optional<ClassicAnswer>>();
    client.asked_at = world_.time.now();
    return [slot = client.slot](Answer answer) {
      EXPECT_FALSE(slot->has_value());
      *slot = std::move(answer);
    };
  }

  BrokerNode* Coordinator(Client& client) {
    if (client.coordinator != 0 && world_.machine(client.coordinator).running()) {
      return &world_.node(client.coordinator);
    }
    client.coordinator = 0;
    const int ask = static_cast<int>(1 + rng_.Below(kBrokers));
    if (!world_.machine(ask).running()) return nullptr;
    message::FindCoordinatorRequest request;
    request.set_group_id("g");
    const auto answer =
        world_.Call<message::FindCoordinatorRequest, message::FindCoordinatorResponse>(
            ask, &BrokerNode::FindCoordinator, request);
    if (answer.error_code() != 0 || !world_.machine(answer.broker_id()).running()) return nullptr;
    client.coordinator = answer.broker_id();
    return &world_.node(client.coordinator);
  }

  void Join(Client& client, BrokerNode& node) {
    ClassicJoinRequest request;
    request.group_id = "g";
    request.member_id = client.member_id;
    request.instance_id = client.instance();
    request.client_id = client.name;
    request.protocol_type = "test";
    request.protocols = {{.name = "plan", .metadata = client.name}};
    request.session_timeout_ms = 6000;
    request.rebalance_timeout_ms = 6000;
    request.require_known_member_id = true;
    request.supports_skip_assignment = true;
    node.JoinGroup(request, Ask<ClassicJoinAnswer>(client));
    client.phase = Phase::kJoining;
  }

  void Sync(Client& client, BrokerNode& node) {
    ClassicSyncRequest request;
    request.group_id = "g";
    request.member_id = client.member_id;
    request.instance_id = client.instance();
    request.generation = client.joined.generation;
    if (client.joined.leader == client.member_id && !client.joined.skip_assignment) {
      ++last_plan_;
      for (const auto& member : client.joined.members) {
        const std::string& place =
            member.instance_id.empty() ? member.member_id : member.instance_id;
        request.assignments.emplace_back(
            member.member_id, absl::StrCat(request.generation, "|", place, "|", last_plan_));
      }
    }
    node.SyncGroup(request, Ask<ClassicSyncAnswer>(client));
    client.phase = Phase::kSyncing;
  }

  void Report(Client& client, BrokerNode& node) {
    ClassicHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = client.member_id;
    request.instance_id = client.instance();
    request.generation = client.joined.generation;
    node.ClassicHeartbeat(request, Ask<ClassicHeartbeatAnswer>(client));
  }

  // The answer says that the client's place in the group is gone, or its coordinator.
  void TakeError(Client& client, ErrorCode error) {
    client.phase = Phase::kAway;
    switch (error) {
      case ErrorCode::kRebalanceInProgress:
      case ErrorCode::kCoordinatorLoadInProgress:
        return;
      case ErrorCode::kNotCoordinator:
      case ErrorCode::kCoordinatorNotAvailable:
        client.coordinator = 0;
        return;
      default:
        EXPECT_TRUE(error == ErrorCode::kUnknownMemberId ||
                    error == ErrorCode::kIllegalGeneration || error == ErrorCode::kFencedInstanceId)
            << error;
        client.member_id.clear();
    }
  }

  void Take(Client& client, const ClassicJoinAnswer& answer) {
    if (answer.error == ErrorCode::kMemberIdRequired) {
      client.member_id = answer.member_id;
      client.phase = Phase::kAway;
      return;
    }
    if (answer.error != ErrorCode::kNone) return TakeError(client, answer.error);
    client.joined = answer;
    client.member_id = answer.member_id;
    client.phase = Phase::kJoined;
  }
  void Take(Client& client, const ClassicSyncAnswer& answer) {
    if (answer.error != ErrorCode::kNone) return TakeError(client, answer.error);
    const std::vector<std::string> parts = absl::StrSplit(answer.assignment, '|');
    ASSERT_EQ(parts.size(), 3U) << answer.assignment;
    EXPECT_EQ(parts[0], absl::StrCat(client.joined.generation));
    EXPECT_EQ(parts[1], client.place());
    const auto [plan, first] = plans_.emplace(client.joined.generation, parts[2]);
    EXPECT_EQ(plan->second, parts[2]);
    client.phase = Phase::kMember;
    ++assignments_checked_;
  }
  void Take(Client& client, const ClassicHeartbeatAnswer& answer) {
    if (answer.error != ErrorCode::kNone) TakeError(client, answer.error);
  }
  void Take(Client& /*client*/, const ClassicLeaveAnswer& /*answer*/) {}

  void GoOn(Client& client) {
    if (client.slot != nullptr && client.slot->has_value()) {
      const auto slot = std::exchange(client.slot, nullptr);
      std::visit([&](const auto& answer) { Take(client, answer); }, **slot);
      return;
    }
    if (client.slot != nullptr) {
      // The broker may have died with the request.
      if (world_.time.now() - client.asked_at < std::chrono::seconds(40)) {
        if (world_.machine(client.coordinator).running()) return;
      }
      client.slot = nullptr;
      client.phase = Phase::kAway;
    }
    BrokerNode* node = Coordinator(client);
    if (node == nullptr) return;
    if (client.phase == Phase::kAway) return Join(client, *node);
    if (client.phase == Phase::kJoined) return Sync(client, *node);
    if (client.phase == Phase::kMember) return Report(client, *node);
  }

  void Disturb() {
    const int broker = static_cast<int>(1 + rng_.Below(kBrokers));
    int running = 0;
    for (int id = 1; id <= kBrokers; ++id) running += world_.machine(id).running() ? 1 : 0;
    if (!world_.machine(broker).running()) {
      world_.machine(broker).Boot();
    } else if (running == kBrokers && rng_.Chance(1, 4)) {
      world_.machine(broker).Crash();
    } else if (rng_.Chance(1, 3)) {
      Client& client = clients_[rng_.Below(clients_.size())];
      client.phase = Phase::kAway;  // its process starts anew
      client.member_id.clear();
      client.slot = nullptr;
    }
  }

  void Run(int steps, bool disturb) {
    for (int i = 0; i < steps && !HasFatalFailure(); ++i) {
      world_.RunFor(std::chrono::milliseconds(rng_.Below(120)));
      if (disturb && rng_.Chance(1, 80)) Disturb();
      GoOn(clients_[rng_.Below(clients_.size())]);
    }
  }

  [[nodiscard]] bool IsSettled() const {
    for (const Client& client : clients_) {
      if (client.phase != Phase::kMember) return false;
      if (client.joined.generation != clients_[0].joined.generation) return false;
    }
    return true;
  }

  Rng rng_;
  FakeWorld world_;
  std::vector<Client> clients_;
  std::map<int32_t, std::string> plans_;  // by generation
  int last_plan_ = 0;
  int assignments_checked_ = 0;
};

TEST_P(ClassicUnderFireTest, AGenerationFollowsOnePlanAndSettlesInTheEnd) {
  Run(4000, true);
  EXPECT_GT(assignments_checked_, 20);
  for (int id = 1; id <= kBrokers; ++id) {
    if (!world_.machine(id).running()) world_.machine(id).Boot();
  }
  for (int round = 0; round < 50 && !IsSettled(); ++round) Run(100, false);
  EXPECT_TRUE(IsSettled());
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClassicUnderFireTest, ::testing::Range(0, 10));

}  // namespace
}  // namespace quipu
