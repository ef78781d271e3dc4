// The way of a request from a listener to the shards that own its partitions: looks up topic id and
// index, splits the request, bounds what is in flight, joins the answers.
//
// Called from any thread. Requests of one stream are called in arrival order and reach each shard
// in that order, so the requests of one partition keep it. Replies come from the home shard's
// executor (that of the first known partition).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "broker/broker_config.h"
#include "broker/broker_node.h"
#include "broker/shard/broker_shard.h"
#include "broker/shared_state.h"

namespace quipu {

using ShardList = std::vector<std::weak_ptr<BrokerShard>>;

class RequestRouter {
 public:
  // `ports` and `shared` must outlive the router.
  RequestRouter(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports,
                std::shared_ptr<SharedState> shared, std::shared_ptr<const ShardList> shards)
      : config_(std::move(config)),
        ports_(ports),
        shared_(std::move(shared)),
        shards_(std::move(shards)) {}

  void Produce(ProduceRequest request, ReplyFn<ProduceResponse> reply);
  // A partition that is named again is refused there (kInvalidRequest). kLimitReached, without
  // partitions: the fetches under way have too many already (fetch_partitions_max).
  void Fetch(FetchRequest request, ReplyFn<FetchResponse> reply);
  void ListOffsets(const message::ListOffsetsRequest& request,
                   ReplyFn<message::ListOffsetsResponse> reply);
  void EpochEndOffsets(const message::EpochEndOffsetsRequest& request,
                       ReplyFn<message::EpochEndOffsetsResponse> reply);
  void DeleteRecords(const message::DeleteRecordsRequest& request,
                     ReplyFn<message::DeleteRecordsResponse> reply);
  void Describe(const message::DescribePartitionsRequest& request,
                ReplyFn<message::DescribePartitionsResponse> reply);

  [[nodiscard]] size_t ShardOf(PartitionUid uid) const {
    return static_cast<size_t>(uid.value() % config_->num_shards);
  }
  // Runs `work` on the shard, unless it is gone. Any thread.
  void Post(size_t shard, std::function<void(BrokerShard&)> work) const;

 private:
  struct Target {
    ErrorCode error = ErrorCode::kNone;
    PartitionUid uid;
    bool internal = false;
  };
  [[nodiscard]] static Target Resolve(const MetadataImage* image, TopicId topic,
                                      PartitionIndex partition);
  // Why produce is refused as a whole; kNone: it is not.
  [[nodiscard]] ErrorCode RefuseProduce(const ProduceRequest& request, size_t bytes);
  // Counts `partitions` as under way; kLimitReached: there is no room for them.
  [[nodiscard]] ErrorCode RefuseFetch(size_t partitions);
  [[nodiscard]] ReplyFn<message::DescribePartitionsResponse> MeasuringLogs(
      ReplyFn<message::DescribePartitionsResponse> reply);
  template <typename Q, typename Request, typename Response, typename Run>
  void RouteQuery(const Request& request, ReplyFn<Response> reply, Run run);

  const std::shared_ptr<const BrokerConfig> config_;
  BrokerPorts& ports_;
  const std::shared_ptr<SharedState> shared_;
  const std::shared_ptr<const ShardList> shards_;
};

}  // namespace quipu
