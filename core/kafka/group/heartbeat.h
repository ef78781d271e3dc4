// Heartbeat: a member of a classic group is alive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct HeartbeatRequest {
  static constexpr ApiKey kApi = ApiKey::kHeartbeat;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  std::string group_id{};
  int32_t generation_id = 0;
  std::string member_id{};
  // Null: not a static member.
  std::optional<std::string> group_instance_id{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const HeartbeatRequest& a, const HeartbeatRequest& b) = default;
};

struct HeartbeatResponse {
  static constexpr ApiKey kApi = ApiKey::kHeartbeat;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const HeartbeatResponse& a, const HeartbeatResponse& b) = default;
};

}  // namespace quipu::kafka
