// FindCoordinator: the broker that coordinates a group or a transactional id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct FindCoordinatorRequest {
  static constexpr ApiKey kApi = ApiKey::kFindCoordinator;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  std::string key{};
  // 0: group; 1: transactional id; 2: share group.
  int8_t key_type = 0;
  std::vector<std::string> coordinator_keys{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const FindCoordinatorRequest& a,
                         const FindCoordinatorRequest& b) = default;
};

struct FindCoordinatorResponse {
  static constexpr ApiKey kApi = ApiKey::kFindCoordinator;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Coordinator {
    std::string key{};
    BrokerId node_id{};
    std::string host{};
    int32_t port = 0;
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Coordinator& a, const Coordinator& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::optional<std::string> error_message{};
  BrokerId node_id{};
  std::string host{};
  int32_t port = 0;
  std::vector<Coordinator> coordinators{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const FindCoordinatorResponse& a,
                         const FindCoordinatorResponse& b) = default;
};

}  // namespace quipu::kafka
