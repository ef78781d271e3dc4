// DeleteRecords: records below an offset are deleted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct DeleteRecordsRequest {
  static constexpr ApiKey kApi = ApiKey::kDeleteRecords;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Partition {
    PartitionIndex partition_index{};
    // Exclusive; -1: the high watermark.
    Offset offset{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> topics{};
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 0;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DeleteRecordsRequest& a, const DeleteRecordsRequest& b) = default;
};

struct DeleteRecordsResponse {
  static constexpr ApiKey kApi = ApiKey::kDeleteRecords;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_index{};
    // The new log start; -1 with an error.
    Offset low_watermark{};
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

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DeleteRecordsResponse& a, const DeleteRecordsResponse& b) = default;
};

}  // namespace quipu::kafka
