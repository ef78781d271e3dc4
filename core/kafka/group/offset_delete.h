// OffsetDelete: a group's positions are forgotten.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct OffsetDeleteRequest {
  static constexpr ApiKey kApi = ApiKey::kOffsetDelete;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Partition {
    PartitionIndex partition_index{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::string group_id{};
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetDeleteRequest& a, const OffsetDeleteRequest& b) = default;
};

struct OffsetDeleteResponse {
  static constexpr ApiKey kApi = ApiKey::kOffsetDelete;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_index{};
    ErrorCode error_code = ErrorCode::kNone;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  ErrorCode error_code = ErrorCode::kNone;
  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetDeleteResponse& a, const OffsetDeleteResponse& b) = default;
};

}  // namespace quipu::kafka
