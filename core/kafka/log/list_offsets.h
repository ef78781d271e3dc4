// ListOffsets: offsets by timestamp, or the first and last of a partition.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct ListOffsetsRequest {
  static constexpr ApiKey kApi = ApiKey::kListOffsets;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Partition {
    PartitionIndex partition_index{};
    // As the client knows it; -1: do not check.
    LeaderEpoch current_leader_epoch{-1};
    // Milliseconds; -1: log end, -2: log start, -3: the record with the largest timestamp,
    // -4: start of what is on this broker's disk, -5: end of what is in tiered storage.
    int64_t timestamp = 0;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // -1: a consumer.
  BrokerId replica_id{};
  // 0: all records; 1: committed ones.
  int8_t isolation_level = 0;
  std::vector<Topic> topics{};
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 0;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ListOffsetsRequest& a, const ListOffsetsRequest& b) = default;
};

struct ListOffsetsResponse {
  static constexpr ApiKey kApi = ApiKey::kListOffsets;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_index{};
    ErrorCode error_code = ErrorCode::kNone;
    TimestampMs timestamp{-1};
    // -1: no record is so young.
    Offset offset{-1};
    LeaderEpoch leader_epoch{-1};

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
  friend bool operator==(const ListOffsetsResponse& a, const ListOffsetsResponse& b) = default;
};

}  // namespace quipu::kafka
