// DescribeProducers: the producers that a partition's leader knows.
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

struct DescribeProducersRequest {
  static constexpr ApiKey kApi = ApiKey::kDescribeProducers;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    std::string name{};
    std::vector<PartitionIndex> partition_indexes{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeProducersRequest& a,
                         const DescribeProducersRequest& b) = default;
};

struct DescribeProducersResponse {
  static constexpr ApiKey kApi = ApiKey::kDescribeProducers;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Producer {
    ProducerId producer_id{};
    int32_t producer_epoch = 0;
    Sequence last_sequence{-1};
    TimestampMs last_timestamp{-1};
    int32_t coordinator_epoch = 0;
    // -1: no transaction is open.
    Offset current_txn_start_offset{-1};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Producer& a, const Producer& b) = default;
  };

  struct Partition {
    PartitionIndex partition_index{};
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};
    std::vector<Producer> active_producers{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeProducersResponse& a,
                         const DescribeProducersResponse& b) = default;
};

}  // namespace quipu::kafka
