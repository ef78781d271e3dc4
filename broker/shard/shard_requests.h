// What the router hands to a shard: parts of client requests whose partition has been looked up,
// and the joins that take the answers.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "broker/join.h"
#include "core/replication/partition_types.h"
#include "core/request/log_messages.h"
#include "proto/message/client.pb.h"

namespace quipu {

// Stores one partition of a protobuf answer, keeping the identity that the router wrote.
template <typename Response, typename Partition>
void StorePartition(Response& response, size_t slot, Partition part) {
  Partition* target = response.mutable_partitions(static_cast<int>(slot));
  part.set_topic_id(target->topic_id());
  part.set_partition(target->partition());
  *target = std::move(part);
}

using ProduceJoin = Join<ProduceResponse, ProducePartitionResult>;
struct ProducePart {
  size_t slot = 0;
  PartitionUid uid;
  ProduceInput input;  // without token
  Instant arrived{};   // of the request
};

template <typename Request, typename Response>
struct Query {
  using RequestPartition = typename Request::Partition;
  using Part = typename Response::Partition;
  using JoinType = Join<Response, Part>;
  struct Item {
    size_t slot = 0;
    PartitionUid uid;
    RequestPartition request;
  };
  using Items = std::vector<Item>;
  using JoinPtr = std::shared_ptr<JoinType>;
};
using ListOffsetsQuery = Query<message::ListOffsetsRequest, message::ListOffsetsResponse>;
using EpochEndQuery = Query<message::EpochEndOffsetsRequest, message::EpochEndOffsetsResponse>;
using DeleteRecordsQuery = Query<message::DeleteRecordsRequest, message::DeleteRecordsResponse>;

// The controller's answer to one ISR proposal.
struct IsrResult {
  PartitionUid uid;
  PartitionEpoch proposed_at;
  ErrorCode error = ErrorCode::kNone;
};

// What a DescribePartitions asks a shard for.
struct DescribeScope {
  // A shard names no more producers than that, whatever is asked.
  static constexpr size_t kProducersMax = 10000;

  std::vector<TopicId> topics;  // none: all
  size_t producers_max = 0;     // 0: none
  bool with_load = false;

  [[nodiscard]] bool Wants(const TopicId& topic) const {
    return topics.empty() || std::find(topics.begin(), topics.end(), topic) != topics.end();
  }
};
// One slot per shard; each adds its partitions.
using DescribeJoin = Join<message::DescribePartitionsResponse, message::DescribePartitionsResponse>;

}  // namespace quipu
