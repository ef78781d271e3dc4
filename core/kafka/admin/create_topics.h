// CreateTopics: new topics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct CreateTopicsRequest {
  static constexpr ApiKey kApi = ApiKey::kCreateTopics;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Assignment {
    PartitionIndex partition_index{};
    std::vector<BrokerId> broker_ids{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Assignment& a, const Assignment& b) = default;
  };

  struct Config {
    std::string name{};
    std::optional<std::string> value{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Config& a, const Config& b) = default;
  };

  struct Topic {
    std::string name{};
    // -1: the broker's setting, or given by `assignments`.
    int32_t num_partitions = 0;
    // -1: the broker's setting, or given by `assignments`.
    int16_t replication_factor = 0;
    // Empty: the controller places the replicas.
    std::vector<Assignment> assignments{};
    std::vector<Config> configs{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> topics{};
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 60000;
  // Check, and change nothing.
  bool validate_only = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const CreateTopicsRequest& a, const CreateTopicsRequest& b) = default;
};

struct CreateTopicsResponse {
  static constexpr ApiKey kApi = ApiKey::kCreateTopics;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Config {
    std::string name{};
    std::optional<std::string> value{};
    bool read_only = false;
    // 1: topic, 2: broker at run time, 3: all brokers at run time, 4: broker's file, 5: default,
    // 6: broker logger, 7: client metrics, 8: group; 0, -1: not known.
    int8_t config_source = -1;
    bool is_sensitive = false;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Config& a, const Config& b) = default;
  };

  struct Topic {
    std::string name{};
    Uuid topic_id{};
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};
    // Why `configs` is null, when the topic was made.
    ErrorCode topic_config_error_code = ErrorCode::kNone;
    int32_t num_partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<Config>> configs{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const CreateTopicsResponse& a, const CreateTopicsResponse& b) = default;
};

}  // namespace quipu::kafka
