// Questions about the offsets of a shard's partitions: earliest, latest, by timestamp, by epoch.
// Shard thread only.
#pragma once

#include "broker/shard/shard_context.h"
#include "broker/shard/shard_requests.h"

namespace quipu {

// Timestamps of ListOffsets with a meaning of their own (Kafka's).
inline constexpr int64_t kLatestTimestamp = -1;
inline constexpr int64_t kEarliestTimestamp = -2;
inline constexpr int64_t kLargestTimestamp = -3;  // the record that has it

class OffsetQueries {
 public:
  // `context` must outlive it.
  explicit OffsetQueries(ShardContext& context) : context_(context) {}

  void ListOffsets(const ListOffsetsQuery::Items& items, const ListOffsetsQuery::JoinPtr& join);
  void EpochEndOffsets(const EpochEndQuery::Items& items, const EpochEndQuery::JoinPtr& join);
  void Describe(const DescribeScope& scope, const std::shared_ptr<DescribeJoin>& join);

 private:
  // The first record at or after a time or an offset: the store finds the batch, its records say
  // which one.
  void FindRecord(PartitionHost& host, const ListOffsetsQuery::Item& item,
                  const ListOffsetsQuery::JoinPtr& join);
  // Of those among `told` that this broker leads, into their entries in `response`, which has one
  // for each of `told`, in its order.
  static void DescribeProducers(const std::vector<const PartitionHost*>& told, size_t producers_max,
                                message::DescribePartitionsResponse& response);
  void DescribeLoad(const DescribeScope& scope,
                    message::DescribePartitionsResponse& response) const;

  ShardContext& context_;
};

}  // namespace quipu
