// DeleteGroups: empty groups are forgotten.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct DeleteGroupsRequest {
  static constexpr ApiKey kApi = ApiKey::kDeleteGroups;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  std::vector<std::string> groups_names{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DeleteGroupsRequest& a, const DeleteGroupsRequest& b) = default;
};

struct DeleteGroupsResponse {
  static constexpr ApiKey kApi = ApiKey::kDeleteGroups;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Result {
    std::string group_id{};
    ErrorCode error_code = ErrorCode::kNone;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Result& a, const Result& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Result> results{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DeleteGroupsResponse& a, const DeleteGroupsResponse& b) = default;
};

}  // namespace quipu::kafka
