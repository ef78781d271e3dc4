// OffsetCommit: a group's positions are kept.
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

struct OffsetCommitRequest {
  static constexpr ApiKey kApi = ApiKey::kOffsetCommit;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Partition {
    PartitionIndex partition_index{};
    Offset committed_offset{};
    // Of the last record consumed; -1: not known.
    LeaderEpoch committed_leader_epoch{-1};
    std::optional<std::string> committed_metadata{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    Uuid topic_id{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::string group_id{};
  // -1: the group has no members, its offsets alone are kept.
  int32_t generation_id_or_member_epoch = -1;
  std::string member_id{};
  // Null: not a static member.
  std::optional<std::string> group_instance_id{};
  // Milliseconds; -1: the broker's setting.
  int64_t retention_time_ms = -1;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetCommitRequest& a, const OffsetCommitRequest& b) = default;
};

struct OffsetCommitResponse {
  static constexpr ApiKey kApi = ApiKey::kOffsetCommit;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_index{};
    ErrorCode error_code = ErrorCode::kNone;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    Uuid topic_id{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetCommitResponse& a, const OffsetCommitResponse& b) = default;
};

}  // namespace quipu::kafka
