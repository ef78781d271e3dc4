// CreatePartitions: topics get more partitions.
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

struct CreatePartitionsRequest {
  static constexpr ApiKey kApi = ApiKey::kCreatePartitions;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Assignment {
    std::vector<BrokerId> broker_ids{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Assignment& a, const Assignment& b) = default;
  };

  struct Topic {
    std::string name{};
    // Partitions there shall be, not how many more.
    int32_t count = 0;
    // Of the new partitions; null: the controller places them.
    std::optional<std::vector<Assignment>> assignments{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> topics{};
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 0;
  // Check, and change nothing.
  bool validate_only = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const CreatePartitionsRequest& a,
                         const CreatePartitionsRequest& b) = default;
};

struct CreatePartitionsResponse {
  static constexpr ApiKey kApi = ApiKey::kCreatePartitions;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Topic {
    std::string name{};
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> results{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const CreatePartitionsResponse& a,
                         const CreatePartitionsResponse& b) = default;
};

}  // namespace quipu::kafka
