// OffsetForLeaderEpoch: where a leader epoch ends: how a consumer notices that its log was cut off.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct OffsetForLeaderEpochRequest {
  static constexpr ApiKey kApi = ApiKey::kOffsetForLeaderEpoch;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Partition {
    PartitionIndex partition{};
    // As the client knows it; -1: do not check.
    LeaderEpoch current_leader_epoch{-1};
    // Whose end is asked for.
    LeaderEpoch leader_epoch{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string topic{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // -1: a consumer; -2: a tool.
  BrokerId replica_id{-2};
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetForLeaderEpochRequest& a,
                         const OffsetForLeaderEpochRequest& b) = default;
};

struct OffsetForLeaderEpochResponse {
  static constexpr ApiKey kApi = ApiKey::kOffsetForLeaderEpoch;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    ErrorCode error_code = ErrorCode::kNone;
    PartitionIndex partition{};
    // The largest at or below the one asked for; -1: none.
    LeaderEpoch leader_epoch{-1};
    // Exclusive; -1: not known.
    Offset end_offset{-1};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string topic{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetForLeaderEpochResponse& a,
                         const OffsetForLeaderEpochResponse& b) = default;
};

}  // namespace quipu::kafka
