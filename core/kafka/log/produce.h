// Produce: record batches for partitions; one batch a partition, of format version 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"
#include "core/kafka/shared_structs.h"

namespace quipu::kafka {

struct ProduceRequest {
  static constexpr ApiKey kApi = ApiKey::kProduce;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Partition {
    PartitionIndex index{};
    // A slice of the frame.
    Records records{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partition_data{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  // Null: not transactional.
  std::optional<std::string> transactional_id{};
  // -1: the ISR; 1: the leader; 0: nobody, and no response is sent.
  int16_t acks = 0;
  // Milliseconds that the broker may take.
  int32_t timeout_ms = 0;
  std::vector<Topic> topic_data{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ProduceRequest& a, const ProduceRequest& b) = default;
};

struct ProduceResponse {
  static constexpr ApiKey kApi = ApiKey::kProduce;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // A record that made the broker refuse its batch.
  struct RecordError {
    int32_t batch_index = 0;
    std::optional<std::string> batch_index_error_message{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const RecordError& a, const RecordError& b) = default;
  };

  struct Partition {
    PartitionIndex index{};
    ErrorCode error_code = ErrorCode::kNone;
    // Of the first record; -1 with an error.
    Offset base_offset{};
    // -1: the records keep the producer's time.
    TimestampMs log_append_time_ms{-1};
    Offset log_start_offset{-1};
    std::vector<RecordError> record_errors{};
    std::optional<std::string> error_message{};
    // With NOT_LEADER_OR_FOLLOWER: who leads.
    LeaderIdAndEpoch current_leader{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Partition& a, const Partition& b) = default;
  };

  struct Topic {
    std::string name{};
    std::vector<Partition> partition_responses{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Topic& a, const Topic& b) = default;
  };

  std::vector<Topic> responses{};
  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  // Addresses of the leaders named above.
  std::vector<NodeEndpoint> node_endpoints{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ProduceResponse& a, const ProduceResponse& b) = default;
};

}  // namespace quipu::kafka
