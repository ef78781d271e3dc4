// ElectLeaders: leaders of partitions are elected anew.
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

struct ElectLeadersRequest {
  static constexpr ApiKey kApi = ApiKey::kElectLeaders;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    std::string topic{};
    std::vector<PartitionIndex> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // 0: preferred; 1: unclean.
  int8_t election_type = 0;
  // Null: all.
  std::optional<std::vector<Topic>> topic_partitions{};
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 60000;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ElectLeadersRequest& a, const ElectLeadersRequest& b) = default;
};

struct ElectLeadersResponse {
  static constexpr ApiKey kApi = ApiKey::kElectLeaders;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_id{};
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string topic{};
    std::vector<Partition> partition_result{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::vector<Topic> replica_election_results{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ElectLeadersResponse& a, const ElectLeadersResponse& b) = default;
};

}  // namespace quipu::kafka
