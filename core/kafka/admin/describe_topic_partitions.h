// DescribeTopicPartitions: partitions of topics page by page, with eligible leader replicas
// (KIP-966).
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
#include "core/kafka/shared_structs.h"

namespace quipu::kafka {

struct DescribeTopicPartitionsRequest {
  static constexpr ApiKey kApi = ApiKey::kDescribeTopicPartitions;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    std::string name{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> topics{};
  // Most partitions in one response.
  int32_t response_partition_limit = 2000;
  // Where to go on; null: at the first.
  std::optional<Cursor> cursor{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeTopicPartitionsRequest& a,
                         const DescribeTopicPartitionsRequest& b) = default;
};

struct DescribeTopicPartitionsResponse {
  static constexpr ApiKey kApi = ApiKey::kDescribeTopicPartitions;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    ErrorCode error_code = ErrorCode::kNone;
    PartitionIndex partition_index{};
    // -1: none.
    BrokerId leader_id{};
    LeaderEpoch leader_epoch{-1};
    std::vector<BrokerId> replica_nodes{};
    std::vector<BrokerId> isr_nodes{};
    // Null: not known.
    std::optional<std::vector<BrokerId>> eligible_leader_replicas{};
    // Null: not known.
    std::optional<std::vector<BrokerId>> last_known_elr{};
    std::vector<BrokerId> offline_replicas{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> name{};
    Uuid topic_id{};
    bool is_internal = false;
    std::vector<Partition> partitions{};
    // A bit for each operation; INT32_MIN: not asked for.
    int32_t topic_authorized_operations = INT32_MIN;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};
  // Where to go on; null: that was all.
  std::optional<Cursor> next_cursor{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeTopicPartitionsResponse& a,
                         const DescribeTopicPartitionsResponse& b) = default;
};

}  // namespace quipu::kafka
