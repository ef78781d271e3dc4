// DeleteTopics: topics are deleted, by name or by id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/uuid.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct DeleteTopicsRequest {
  static constexpr ApiKey kApi = ApiKey::kDeleteTopics;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    // Null: the topic is named by its id.
    std::optional<std::string> name{};
    Uuid topic_id{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> topics{};
  std::vector<std::string> topic_names{};
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 0;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DeleteTopicsRequest& a, const DeleteTopicsRequest& b) = default;
};

struct DeleteTopicsResponse {
  static constexpr ApiKey kApi = ApiKey::kDeleteTopics;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Topic {
    std::optional<std::string> name{};
    Uuid topic_id{};
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> responses{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DeleteTopicsResponse& a, const DeleteTopicsResponse& b) = default;
};

}  // namespace quipu::kafka
