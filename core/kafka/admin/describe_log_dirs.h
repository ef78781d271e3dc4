// DescribeLogDirs: what lies in a broker's log directories.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct DescribeLogDirsRequest {
  static constexpr ApiKey kApi = ApiKey::kDescribeLogDirs;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    std::string topic{};
    std::vector<PartitionIndex> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // Null: all.
  std::optional<std::vector<Topic>> topics{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeLogDirsRequest& a,
                         const DescribeLogDirsRequest& b) = default;
};

struct DescribeLogDirsResponse {
  static constexpr ApiKey kApi = ApiKey::kDescribeLogDirs;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Partition {
    PartitionIndex partition_index{};
    // Bytes.
    int64_t partition_size = 0;
    // Records that the replica lacks.
    int64_t offset_lag = 0;
    // A copy that is on its way to another directory.
    bool is_future_key = false;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  struct LogDir {
    ErrorCode error_code = ErrorCode::kNone;
    std::string log_dir{};
    std::vector<Topic> topics{};
    // Of the volume; -1: not known.
    int64_t total_bytes = -1;
    // Of the volume; -1: not known.
    int64_t usable_bytes = -1;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const LogDir& a, const LogDir& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::vector<LogDir> results{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeLogDirsResponse& a,
                         const DescribeLogDirsResponse& b) = default;
};

}  // namespace quipu::kafka
