// OffsetFetch: a group's kept positions.
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

struct OffsetFetchRequest {
  static constexpr ApiKey kApi = ApiKey::kOffsetFetch;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    std::string name{};
    Uuid topic_id{};
    std::vector<PartitionIndex> partition_indexes{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  struct Group {
    std::string group_id{};
    std::optional<std::string> member_id{};
    // -1: not a member.
    int32_t member_epoch = -1;
    // Null: all that the group has kept.
    std::optional<std::vector<Topic>> topics{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Group& a, const Group& b) = default;
  };

  // Up to version 7: of one group. Null: all that it has kept.
  std::string group_id{};
  std::optional<std::vector<Topic>> topics{};
  // From version 8 on.
  std::vector<Group> groups{};
  // Wait for transactions that may still commit offsets.
  bool require_stable = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetFetchRequest& a, const OffsetFetchRequest& b) = default;
};

struct OffsetFetchResponse {
  static constexpr ApiKey kApi = ApiKey::kOffsetFetch;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_index{};
    // -1: none.
    Offset committed_offset{};
    LeaderEpoch committed_leader_epoch{-1};
    std::optional<std::string> metadata{};
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

  struct Group {
    std::string group_id{};
    std::vector<Topic> topics{};
    ErrorCode error_code = ErrorCode::kNone;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Group& a, const Group& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  // Up to version 7: of one group.
  std::vector<Topic> topics{};
  ErrorCode error_code = ErrorCode::kNone;
  // From version 8 on.
  std::vector<Group> groups{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const OffsetFetchResponse& a, const OffsetFetchResponse& b) = default;
};

}  // namespace quipu::kafka
