// SyncGroup: the leader of a generation hands out assignments; everybody gets its own.
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

struct SyncGroupRequest {
  static constexpr ApiKey kApi = ApiKey::kSyncGroup;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Assignment {
    std::string member_id{};
    Bytes assignment{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Assignment& a, const Assignment& b) = default;
  };

  std::string group_id{};
  int32_t generation_id = 0;
  std::string member_id{};
  // Null: not a static member.
  std::optional<std::string> group_instance_id{};
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol_name{};
  // From the leader; empty from the others.
  std::vector<Assignment> assignments{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const SyncGroupRequest& a, const SyncGroupRequest& b) = default;
};

struct SyncGroupResponse {
  static constexpr ApiKey kApi = ApiKey::kSyncGroup;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol_name{};
  Bytes assignment{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const SyncGroupResponse& a, const SyncGroupResponse& b) = default;
};

}  // namespace quipu::kafka
