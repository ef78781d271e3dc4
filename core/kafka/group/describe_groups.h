// DescribeGroups: state and members of classic groups.
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

struct DescribeGroupsRequest {
  static constexpr ApiKey kApi = ApiKey::kDescribeGroups;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  std::vector<std::string> groups{};
  bool include_authorized_operations = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeGroupsRequest& a, const DescribeGroupsRequest& b) = default;
};

struct DescribeGroupsResponse {
  static constexpr ApiKey kApi = ApiKey::kDescribeGroups;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Member {
    std::string member_id{};
    // Null: not a static member.
    std::optional<std::string> group_instance_id{};
    std::string client_id{};
    std::string client_host{};
    Bytes member_metadata{};
    Bytes member_assignment{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Member& a, const Member& b) = default;
  };

  struct Group {
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};
    std::string group_id{};
    std::string group_state{};
    std::string protocol_type{};
    std::string protocol_data{};
    std::vector<Member> members{};
    // A bit for each operation; INT32_MIN: not asked for.
    int32_t authorized_operations = INT32_MIN;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Group& a, const Group& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Group> groups{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeGroupsResponse& a,
                         const DescribeGroupsResponse& b) = default;
};

}  // namespace quipu::kafka
