// LeaveGroup: members leave a classic group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct LeaveGroupRequest {
  static constexpr ApiKey kApi = ApiKey::kLeaveGroup;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Member {
    std::string member_id{};
    // Null: not a static member.
    std::optional<std::string> group_instance_id{};
    std::optional<std::string> reason{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Member& a, const Member& b) = default;
  };

  std::string group_id{};
  std::string member_id{};
  std::vector<Member> members{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const LeaveGroupRequest& a, const LeaveGroupRequest& b) = default;
};

struct LeaveGroupResponse {
  static constexpr ApiKey kApi = ApiKey::kLeaveGroup;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Member {
    std::string member_id{};
    // Null: not a static member.
    std::optional<std::string> group_instance_id{};
    ErrorCode error_code = ErrorCode::kNone;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Member& a, const Member& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::vector<Member> members{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const LeaveGroupResponse& a, const LeaveGroupResponse& b) = default;
};

}  // namespace quipu::kafka
