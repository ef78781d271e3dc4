// ListGroups: the groups that this broker coordinates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct ListGroupsRequest {
  static constexpr ApiKey kApi = ApiKey::kListGroups;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  // Empty: any state.
  std::vector<std::string> states_filter{};
  // Empty: any type.
  std::vector<std::string> types_filter{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ListGroupsRequest& a, const ListGroupsRequest& b) = default;
};

struct ListGroupsResponse {
  static constexpr ApiKey kApi = ApiKey::kListGroups;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Group {
    std::string group_id{};
    std::string protocol_type{};
    std::string group_state{};
    std::string group_type{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Group& a, const Group& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::vector<Group> groups{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ListGroupsResponse& a, const ListGroupsResponse& b) = default;
};

}  // namespace quipu::kafka
