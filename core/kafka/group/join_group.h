// JoinGroup: a member of a classic group enters a rebalance and waits for the next generation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct JoinGroupRequest {
  static constexpr ApiKey kApi = ApiKey::kJoinGroup;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  // An assignor of the member, best first, and what the member tells it.
  struct Protocol {
    std::string name{};
    Bytes metadata{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Protocol& a, const Protocol& b) = default;
  };

  std::string group_id{};
  // Milliseconds without a heartbeat until the member is out.
  int32_t session_timeout_ms = 0;
  // Milliseconds for members to join again; -1: the session's.
  int32_t rebalance_timeout_ms = -1;
  // Empty: a new member.
  std::string member_id{};
  // Null: not a static member.
  std::optional<std::string> group_instance_id{};
  std::string protocol_type{};
  std::vector<Protocol> protocols{};
  // Why it joins again, for people.
  std::optional<std::string> reason{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const JoinGroupRequest& a, const JoinGroupRequest& b) = default;
};

struct JoinGroupResponse {
  static constexpr ApiKey kApi = ApiKey::kJoinGroup;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Member {
    std::string member_id{};
    // Null: not a static member.
    std::optional<std::string> group_instance_id{};
    Bytes metadata{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Member& a, const Member& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol_name{};
  // Member id of who computes the assignment.
  std::string leader{};
  // The leader need not compute one: a static leader came back.
  bool skip_assignment = false;
  std::string member_id{};
  // For the leader; empty for the others.
  std::vector<Member> members{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const JoinGroupResponse& a, const JoinGroupResponse& b) = default;
};

}  // namespace quipu::kafka
