// Fetch: record batches from partitions, with a long poll.
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

struct FetchRequest {
  static constexpr ApiKey kApi = ApiKey::kFetch;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  // Set by followers alone.
  struct ReplicaState {
    BrokerId replica_id{-1};
    int64_t replica_epoch = -1;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const ReplicaState& a, const ReplicaState& b) = default;
  };

  struct Partition {
    PartitionIndex partition{};
    // As the client knows it; -1: do not check.
    LeaderEpoch current_leader_epoch{-1};
    Offset fetch_offset{};
    // Of the last record read; -1: none.
    LeaderEpoch last_fetched_epoch{-1};
    // Of a follower's log.
    Offset log_start_offset{-1};
    // The first batch is sent even when it is larger.
    int32_t partition_max_bytes = 0;
    // Of a follower.
    Uuid replica_directory_id{};
    // Of a follower; Max: it does not tell.
    Offset high_watermark{INT64_MAX};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string topic{};
    Uuid topic_id{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // Partitions that leave an incremental fetch session.
  struct ForgottenTopic {
    std::string topic{};
    Uuid topic_id{};
    std::vector<PartitionIndex> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const ForgottenTopic& a, const ForgottenTopic& b) = default;
  };

  // Set by controllers alone.
  std::optional<std::string> cluster_id{};
  // -1: a consumer.
  BrokerId replica_id{-1};
  ReplicaState replica_state{};
  // Milliseconds to wait for `min_bytes`.
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  // Of all partitions; the first batch is sent even when it is larger.
  int32_t max_bytes = INT32_MAX;
  // 0: all records; 1: committed ones.
  int8_t isolation_level = 0;
  // 0: none.
  int32_t session_id = 0;
  // -1: no session; 0: a new one.
  int32_t session_epoch = -1;
  std::vector<Topic> topics{};
  std::vector<ForgottenTopic> forgotten_topics_data{};
  // Of the consumer; empty: not known.
  std::string rack_id{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const FetchRequest& a, const FetchRequest& b) = default;
};

struct FetchResponse {
  static constexpr ApiKey kApi = ApiKey::kFetch;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // Where the client's log leaves the leader's: the largest epoch at or below the client's, and its
  // end.
  struct DivergingEpoch {
    LeaderEpoch epoch{-1};
    Offset end_offset{-1};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const DivergingEpoch& a, const DivergingEpoch& b) = default;
  };

  // Of the metadata log; never set for topics.
  struct SnapshotId {
    Offset end_offset{-1};
    LeaderEpoch epoch{-1};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const SnapshotId& a, const SnapshotId& b) = default;
  };

  // Of a producer, from `first_offset` on; for consumers that read committed records.
  struct AbortedTransaction {
    ProducerId producer_id{};
    Offset first_offset{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const AbortedTransaction& a, const AbortedTransaction& b) = default;
  };

  struct Partition {
    PartitionIndex partition_index{};
    ErrorCode error_code = ErrorCode::kNone;
    // Exclusive; -1 with an error.
    Offset high_watermark{};
    // Exclusive: below it every transaction is decided.
    Offset last_stable_offset{-1};
    // -1: not known.
    Offset log_start_offset{-1};
    DivergingEpoch diverging_epoch{};
    LeaderIdAndEpoch current_leader{};
    SnapshotId snapshot_id{};
    // Null: all records were asked for.
    std::optional<std::vector<AbortedTransaction>> aborted_transactions{};
    // -1: go on reading here.
    BrokerId preferred_read_replica{-1};
    // Whole batches; shared, never copied.
    Records records{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string topic{};
    Uuid topic_id{};
    std::vector<Partition> partitions{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  // 0: no session was made.
  int32_t session_id = 0;
  std::vector<Topic> responses{};
  // Addresses of the leaders named above.
  std::vector<NodeEndpoint> node_endpoints{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const FetchResponse& a, const FetchResponse& b) = default;
};

}  // namespace quipu::kafka
