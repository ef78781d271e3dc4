#include "broker/broker_node.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "broker/broker_parts.h"
#include "broker/metadata_answer.h"
#include "broker/replica/replica_acceptor.h"

namespace quipu {

BrokerNode::Parts::Parts(BrokerConfig given, BrokerPorts& given_ports)
    : config(std::make_shared<const BrokerConfig>(std::move(given))),
      ports(given_ports),
      rng(given_ports.RandomSeed()),
      shared(std::make_shared<SharedState>()) {
  shared->disk_free_bytes_min = config->disk_free_bytes_min;
  shared->in_flight_bytes_max = config->in_flight_bytes_max;
  auto list = std::make_shared<ShardList>(config->num_shards);
  control = std::make_shared<BrokerControl>(
      config, ports, shared, rng,
      BrokerControl::Listener{
          .act =
              [this_config = config, &ports = ports, list](MetadataImagePtr image,
                                                           BrokerEpoch epoch) {
                for (size_t i = 0; i < this_config->num_shards; ++i) {
                  ports.shard_executor(i).Post([weak = list->at(i), image, epoch] {
                    if (const auto shard = weak.lock()) shard->ApplyImage(image, epoch);
                  });
                }
              },
          .isr_result =
              [this_config = config, &ports = ports, list](const IsrResult& result) {
                const auto at = static_cast<size_t>(result.uid.value() % this_config->num_shards);
                ports.shard_executor(at).Post([weak = list->at(at), result] {
                  if (const auto shard = weak.lock()) shard->OnIsrResult(result);
                });
              }});
  for (size_t i = 0; i < config->num_shards; ++i) {
    auto shard = std::make_shared<BrokerShard>(
        config, ports, i, rng.Fork(),
        [weak = std::weak_ptr<BrokerControl>(control)](IsrProposal proposal) {
          if (const auto alive = weak.lock()) alive->ProposeIsr(std::move(proposal));
        });
    list->at(i) = shard;
    shards.push_back(std::move(shard));
  }
  for (const auto& shard : shards) shard->SetPeers(list);
  router = std::make_shared<RequestRouter>(config, ports, shared, list);
  groups = std::make_shared<GroupRouter>(config, ports, shared, router, control);
}

absl::Status BrokerNode::Parts::RecoverLogs() {
  LogStore& store = ports.log_store();
  auto acted = store.GetValue(kNewestActedImage);
  QUIPU_RETURN_IF_ERROR(acted.status());
  uint64_t newest = 0;
  if (acted->has_value() && !absl::SimpleAtoi(**acted, &newest)) {
    return ToStatus(ErrorCode::kCorruptMessage, "newest_acted_image is not a number");
  }
  for (const auto& shard : shards) shard->SetNewestActed(LogIndex(newest));
  for (const KnownLog& log : store.Logs()) {
    auto recovered = store.Recover(log.log_id);
    if (!recovered.ok()) {
      LogError("log.unreadable", {{"partition_uid", log.uid.ToString()},
                                  {"log", log.log_id.ToString()},
                                  {"error", recovered.status().ToString()}});
      return recovered.status();
    }
    shards[router->ShardOf(log.uid)]->AddFound(
        {.uid = log.uid, .log_id = log.log_id, .recovered = *std::move(recovered)});
  }
  return absl::OkStatus();
}

void BrokerNode::Parts::FailAll(ErrorCode error, std::function<void()> done) {
  shared->closing.store(true, std::memory_order_relaxed);
  control->FailAll(error);
  // The last shard says that all have answered.
  auto left = std::make_shared<std::atomic<size_t>>(shards.size());
  for (size_t i = 0; i < shards.size(); ++i) {
    router->Post(i, [error, left, done](BrokerShard& shard) {
      shard.FailAll(error);
      if (left->fetch_sub(1) == 1) done();
    });
  }
}

BrokerEpoch BrokerNode::Parts::broker_epoch() const {
  return BrokerEpoch(shared->broker_epoch.load(std::memory_order_relaxed));
}
MetadataImagePtr BrokerNode::Parts::image() const { return shared->image(); }

std::vector<PartitionUid> BrokerNode::Parts::partitions() const {
  std::vector<PartitionUid> uids;
  for (const auto& shard : shards) {
    for (const auto& [uid, host] : shard->hosts) uids.push_back(uid);
  }
  std::sort(uids.begin(), uids.end());
  return uids;
}

const PartitionCore* BrokerNode::Parts::FindPartition(PartitionUid uid) const {
  const PartitionHost* host = shards[router->ShardOf(uid)]->Find(uid);
  return host == nullptr ? nullptr : &host->core;
}

// ---- BrokerNode ------------------------------------------------------------------------------

BrokerNode::BrokerNode(BrokerConfig config, BrokerPorts& ports)
    : parts_(std::make_unique<Parts>(std::move(config), ports)) {}
BrokerNode::~BrokerNode() = default;

absl::Status BrokerNode::Start() {
  QUIPU_RETURN_IF_ERROR(parts_->RecoverLogs());
  for (size_t i = 0; i < parts_->shards.size(); ++i) {
    parts_->router->Post(i, [](BrokerShard& shard) { shard.Start(); });
  }
  parts_->control->Start();
  return absl::OkStatus();
}

void BrokerNode::ControlledShutdown(Duration timeout, std::function<void()> done) {
  parts_->control->ControlledShutdown(timeout, [parts = parts_.get(), done = std::move(done)] {
    parts->FailAll(ErrorCode::kBrokerShuttingDown, done);
  });
}

MetadataImagePtr BrokerNode::image() const {
  MetadataImagePtr image = parts_->shared->image();
  const int64_t epoch = parts_->shared->broker_epoch.load(std::memory_order_relaxed);
  const bool knows_us = image != nullptr && epoch != kNoBrokerEpoch.value() &&
                        static_cast<int64_t>(image->index().value()) >= epoch;
  return knows_us ? image : nullptr;
}

const BrokerNode::Inspector& BrokerNode::inspector() const { return *parts_; }

void BrokerNode::Produce(ProduceRequest request, ReplyFn<ProduceResponse> reply) {
  parts_->router->Produce(std::move(request), std::move(reply));
}
void BrokerNode::Fetch(FetchRequest request, ReplyFn<FetchResponse> reply) {
  parts_->router->Fetch(std::move(request), std::move(reply));
}
void BrokerNode::ListOffsets(message::ListOffsetsRequest request,
                             ReplyFn<message::ListOffsetsResponse> reply) {
  parts_->router->ListOffsets(request, std::move(reply));
}
void BrokerNode::EpochEndOffsets(message::EpochEndOffsetsRequest request,
                                 ReplyFn<message::EpochEndOffsetsResponse> reply) {
  parts_->router->EpochEndOffsets(request, std::move(reply));
}
void BrokerNode::DeleteRecords(message::DeleteRecordsRequest request,
                               ReplyFn<message::DeleteRecordsResponse> reply) {
  parts_->router->DeleteRecords(request, std::move(reply));
}
void BrokerNode::DescribePartitions(message::DescribePartitionsRequest request,
                                    ReplyFn<message::DescribePartitionsResponse> reply) {
  parts_->router->Describe(request, std::move(reply));
}

void BrokerNode::Metadata(message::MetadataRequest request,
                          ReplyFn<message::MetadataResponse> reply) {
  parts_->ports.control_executor().Post(
      [shared = parts_->shared, request = std::move(request), reply = std::move(reply)] {
        const MetadataImagePtr image = shared->image();
        if (image == nullptr) {
          message::MetadataResponse response;
          response.set_error_code(static_cast<int32_t>(ErrorCode::kLeaderNotAvailable));
          reply(std::move(response));
          return;
        }
        const ControllerId controller(shared->controller.load(std::memory_order_relaxed));
        reply(MetadataAnswer(*image, controller, request));
      });
}

void BrokerNode::InitProducerId(message::InitProducerIdRequest request,
                                ReplyFn<message::InitProducerIdResponse> reply) {
  parts_->control->InitProducerId(std::move(request), std::move(reply));
}
void BrokerNode::Admin(message::AdminRequest request, ReplyFn<message::AdminResponse> reply) {
  // Only this broker knows its own configuration.
  if (request.has_describe_configs() &&
      BrokerId(request.describe_configs().broker_id()) == parts_->config->broker_id) {
    parts_->control->DescribeConfigs(std::move(reply));
    return;
  }
  // The cluster's own topics are made by brokers only.
  if (request.has_create_topic()) request.mutable_create_topic()->set_internal(false);
  parts_->control->Admin(std::move(request), std::move(reply));
}

void BrokerNode::CollectMetrics(size_t shard, size_t partitions_max,
                                std::function<void(ShardMetrics)> done) const {
  parts_->router->Post(shard, [partitions_max, done = std::move(done)](BrokerShard& at) {
    done(at.Metrics(partitions_max));
  });
}

BrokerMetricsState BrokerNode::MetricsState() const {
  const SharedState& shared = *parts_->shared;
  return {.image = shared.image(),
          .broker_epoch = BrokerEpoch(shared.broker_epoch.load(std::memory_order_relaxed)),
          .disk_full = shared.disk_full.load(std::memory_order_relaxed),
          .disk_free_bytes_min = shared.disk_free_bytes_min.load(std::memory_order_relaxed),
          .in_flight_bytes = shared.in_flight_bytes.load(std::memory_order_relaxed),
          .admin_requests = shared.admin_requests.load(std::memory_order_relaxed)};
}

MessageHandler<ReplicaToLeader> BrokerNode::AcceptReplicaStream(
    std::shared_ptr<MessageSender<LeaderToReplica>> sender) {
  const uint64_t id = parts_->next_stream_id.fetch_add(1, std::memory_order_relaxed);
  auto acceptor = std::make_shared<ReplicaAcceptor>(parts_->config, parts_->shared, parts_->router,
                                                    std::move(sender), id);
  return {
      .on_message = [acceptor](const ReplicaToLeader& message) { acceptor->OnMessage(message); },
      .on_closed = [acceptor](const absl::Status& /*status*/) { acceptor->OnClosed(); }};
}

}  // namespace quipu
