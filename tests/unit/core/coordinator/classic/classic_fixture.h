// A coordinator of classic groups under test, its host and its clients, in one thread and without a
// clock. Joins and syncs are answered later; their answers are looked up by token.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/big_endian.h"
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {

inline GroupCoordinatorOptions ClassicTestOptions() {
  GroupCoordinatorOptions options = TestOptions();
  options.classic_initial_rebalance_delay_ms = 3000;
  options.classic_session_timeout_ms_min = 1000;
  return options;
}

// A ConsumerProtocolSubscription of version 0.
inline std::string Subscription(const std::vector<std::string>& topics,
                                const std::string& user_data = "") {
  std::string bytes;
  AppendBigEndian(bytes, int16_t{0});
  AppendBigEndian(bytes, static_cast<int32_t>(topics.size()));
  for (const std::string& topic : topics) {
    AppendBigEndian(bytes, static_cast<int16_t>(topic.size()));
    bytes += topic;
  }
  AppendBigEndian(bytes, static_cast<int32_t>(user_data.size()));
  return bytes + user_data;
}

// A ConsumerProtocolAssignment of version 0.
inline std::string Assignment(const std::string& topic, const std::vector<int32_t>& partitions) {
  std::string bytes;
  AppendBigEndian(bytes, int16_t{0});
  AppendBigEndian(bytes, int32_t{1});
  AppendBigEndian(bytes, static_cast<int16_t>(topic.size()));
  bytes += topic;
  AppendBigEndian(bytes, static_cast<int32_t>(partitions.size()));
  for (const int32_t index : partitions) AppendBigEndian(bytes, index);
  AppendBigEndian(bytes, int32_t{-1});
  return bytes;
}

class ClassicFixture : public GroupFixture {
 protected:
  using Assignments = std::vector<std::pair<std::string, std::string>>;

  ClassicFixture() : topic_(topics_.Add("t", 1, 6)) { core_ = GroupCoordinatorCore(options_); }

  // ---- the host ----
  void Host(const GroupRecords& records) {
    // The log may refuse what is to be written.
    const ErrorCode written = records.empty() ? ErrorCode::kNone : refuse_;
    if (written == ErrorCode::kNone) {
      for (const record::GroupRecord& record : records) {
        record::GroupRecord stored;
        QUIPU_CHECK(stored.ParseFromString(record.SerializeAsString()));
        core_.Replay(stored);
        log_.push_back(stored);
      }
    }
    for (ClassicReply& reply : core_.FinishClassic(written, now_)) {
      const bool first = answers_.emplace(reply.token, std::move(reply.answer)).second;
      QUIPU_CHECK(first && reply.token <= token_);  // exactly once
    }
    core_.CheckInvariants();
  }

  void Pass(int64_t milliseconds) {
    const Now end{.mono = now_.mono + std::chrono::milliseconds(milliseconds),
                  .wall = now_.wall + milliseconds};
    while (core_.NextDeadline().has_value() && *core_.NextDeadline() <= end.mono) {
      now_.mono = std::max(now_.mono, *core_.NextDeadline());
      now_.wall = end.wall - ToMillis(end.mono - now_.mono);
      Host(core_.OnTime(now_, topics_));
      if (refuse_ != ErrorCode::kNone) break;
      Expire();
    }
    now_ = end;
  }

  // The next coordinator learns everything from the log; what waits is lost.
  void FailOver() {
    options_.incarnation += 1;
    GroupCoordinatorCore fresh(options_);
    for (const record::GroupRecord& record : log_) fresh.Replay(record);
    ASSERT_TRUE(fresh.SameStateAs(core_)) << core_.DebugString() << "---\n" << fresh.DebugString();
    core_ = std::move(fresh);
    core_.OnLoaded(now_.mono);
  }

  // ---- requests; each returns its token ----
  uint64_t Send(const ClassicJoinRequest& request) {
    Host(core_.JoinGroup(++token_, request, now_, topics_));
    return token_;
  }
  uint64_t Send(const ClassicSyncRequest& request) {
    Host(core_.SyncGroup(++token_, request, now_, topics_));
    return token_;
  }
  uint64_t Send(const ClassicHeartbeatRequest& request) {
    Host(core_.ClassicHeartbeat(++token_, request, now_));
    return token_;
  }
  uint64_t Send(const ClassicLeaveRequest& request) {
    Host(core_.LeaveGroup(++token_, request, now_, topics_));
    return token_;
  }

  static ClassicJoinRequest JoinOf(const std::string& client, const std::string& member_id = "") {
    ClassicJoinRequest request;
    request.group_id = "g";
    request.member_id = member_id;
    request.client_id = client;
    request.client_host = "host";
    request.protocol_type = "consumer";
    request.protocols = {{.name = "range", .metadata = Subscription({"t"}, client)}};
    request.session_timeout_ms = 10000;
    request.rebalance_timeout_ms = 60000;
    return request;
  }
  static ClassicSyncRequest SyncOf(const ClassicJoinAnswer& joined,
                                   const Assignments& assignments = {}) {
    ClassicSyncRequest request;
    request.group_id = "g";
    request.member_id = joined.member_id;
    request.generation = joined.generation;
    request.assignments = assignments;
    return request;
  }

  // ---- answers ----
  [[nodiscard]] bool Answered(uint64_t token) const { return answers_.contains(token); }
  template <typename Answer>
  const Answer& Get(uint64_t token) const {
    const auto it = answers_.find(token);
    QUIPU_CHECK(it != answers_.end());
    return std::get<Answer>(it->second);
  }
  [[nodiscard]] const ClassicJoinAnswer& Joined(uint64_t token) const {
    return Get<ClassicJoinAnswer>(token);
  }
  [[nodiscard]] const ClassicSyncAnswer& Synced(uint64_t token) const {
    return Get<ClassicSyncAnswer>(token);
  }
  [[nodiscard]] ErrorCode ErrorOf(uint64_t token) const {
    const auto it = answers_.find(token);
    if (it == answers_.end()) return ErrorCode::kUnknownServerError;
    return std::visit([](const auto& answer) { return answer.error; }, it->second);
  }

  ErrorCode Beat(const std::string& member_id, int32_t generation,
                 const std::string& instance_id = "") {
    return ErrorOf(Send(ClassicHeartbeatRequest{.group_id = "g",
                                                .member_id = member_id,
                                                .instance_id = instance_id,
                                                .generation = generation}));
  }
  ErrorCode LeaveBy(const std::string& member_id, const std::string& instance_id = "") {
    ClassicLeaveRequest request;
    request.group_id = "g";
    request.members = {{.member_id = member_id, .instance_id = instance_id}};
    const ClassicLeaveAnswer& answer = Get<ClassicLeaveAnswer>(Send(request));
    EXPECT_EQ(answer.error, ErrorCode::kNone);
    return answer.members.at(0).error;
  }
  // As a member of a classic group, or from outside.
  ErrorCode CommitAs(const std::string& member_id, int32_t generation, int64_t offset) {
    return CommitOffset(member_id, generation, topic_, 0, offset);
  }

  // ---- whole groups ----
  // Members of these clients join an empty group. In the order of `clients`; the first one leads.
  std::vector<ClassicJoinAnswer> JoinAll(const std::vector<ClassicJoinRequest>& requests) {
    std::vector<uint64_t> tokens;
    for (const ClassicJoinRequest& request : requests) tokens.push_back(Send(request));
    Pass(9000);
    std::vector<ClassicJoinAnswer> joined;
    for (const uint64_t token : tokens) {
      EXPECT_EQ(ErrorOf(token), ErrorCode::kNone);
      joined.push_back(Joined(token));
    }
    return joined;
  }
  // The leader gives each member its client's partition number; everybody fetches.
  void SyncAll(const std::vector<ClassicJoinAnswer>& joined) {
    Assignments assignments;
    for (size_t i = 0; i < joined.size(); ++i) {
      assignments.emplace_back(joined[i].member_id, Assignment("t", {static_cast<int32_t>(i)}));
    }
    std::vector<uint64_t> tokens;
    for (size_t i = joined.size(); i-- > 0;) {
      const bool leads = joined[i].leader == joined[i].member_id;
      tokens.push_back(Send(SyncOf(joined[i], leads ? assignments : Assignments())));
    }
    for (const uint64_t token : tokens) EXPECT_EQ(ErrorOf(token), ErrorCode::kNone);
  }
  std::vector<ClassicJoinAnswer> StableGroup(const std::vector<std::string>& clients) {
    std::vector<ClassicJoinRequest> requests;
    for (const std::string& client : clients) requests.push_back(JoinOf(client));
    const std::vector<ClassicJoinAnswer> joined = JoinAll(requests);
    SyncAll(joined);
    EXPECT_EQ(State(), "Stable");
    return joined;
  }

  [[nodiscard]] std::string State() const {
    const ClassicGroup* group = core_.classic().Find("g");
    return group != nullptr ? ClassicStateName(group->state) : "none";
  }

  GroupCoordinatorOptions options_ = ClassicTestOptions();
  TopicId topic_;
  uint64_t token_ = 0;
  std::map<uint64_t, ClassicAnswer> answers_;
  ErrorCode refuse_ = ErrorCode::kNone;
};

}  // namespace quipu
