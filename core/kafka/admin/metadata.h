// Metadata: brokers, topics, partitions and their leaders.
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

struct MetadataRequest {
  static constexpr ApiKey kApi = ApiKey::kMetadata;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Topic {
    // Zero: the topic is named by its name.
    Uuid topic_id{};
    // Null: the topic is named by its id.
    std::optional<std::string> name{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // Null: every topic; so does an empty list in version 0, where null does not exist.
  std::optional<std::vector<Topic>> topics{};
  // Topics that are missing may be made, if the broker is so configured.
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const MetadataRequest& a, const MetadataRequest& b) = default;
};

struct MetadataResponse {
  static constexpr ApiKey kApi = ApiKey::kMetadata;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Broker {
    BrokerId node_id{};
    std::string host{};
    int32_t port = 0;
    std::optional<std::string> rack{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Broker& a, const Broker& b) = default;
  };

  struct Partition {
    ErrorCode error_code = ErrorCode::kNone;
    PartitionIndex partition_index{};
    // -1: none.
    BrokerId leader_id{};
    LeaderEpoch leader_epoch{-1};
    std::vector<BrokerId> replica_nodes{};
    std::vector<BrokerId> isr_nodes{};
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
  std::vector<Broker> brokers{};
  std::optional<std::string> cluster_id{};
  // A broker that takes requests for the controller; -1: none known.
  BrokerId controller_id{-1};
  std::vector<Topic> topics{};
  // A bit for each operation; INT32_MIN: not asked for.
  int32_t cluster_authorized_operations = INT32_MIN;
  ErrorCode error_code = ErrorCode::kNone;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const MetadataResponse& a, const MetadataResponse& b) = default;
};

}  // namespace quipu::kafka
