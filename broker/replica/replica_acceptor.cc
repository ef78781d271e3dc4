#include "broker/replica/replica_acceptor.h"

#include <utility>

#include "absl/container/btree_map.h"

namespace quipu {

ReplicaAcceptor::ReplicaAcceptor(std::shared_ptr<const BrokerConfig> config,
                                 std::shared_ptr<SharedState> shared,
                                 std::shared_ptr<const RequestRouter> router,
                                 std::shared_ptr<MessageSender<LeaderToReplica>> sender,
                                 uint64_t id)
    : config_(std::move(config)),
      shared_(std::move(shared)),
      router_(std::move(router)),
      stream_(std::make_shared<ReplicaStream>()) {
  stream_->id = id;
  stream_->sender = std::move(sender);
}

ErrorCode ReplicaAcceptor::CheckOpen(const ReplicaOpen& open) const {
  if (open.cluster_id != config_->cluster_id) return ErrorCode::kInconsistentClusterId;
  if (open.leader_id != config_->broker_id) return ErrorCode::kNotLeaderOrFollower;
  if (open.broker_id == config_->broker_id) return ErrorCode::kInvalidRequest;
  return ErrorCode::kNone;
}

ErrorCode ReplicaAcceptor::CheckFollower() const {
  const MetadataImagePtr image = shared_->image();
  const BrokerImage* broker = image == nullptr ? nullptr : image->FindBroker(stream_->follower);
  if (broker == nullptr) return ErrorCode::kBrokerIdNotRegistered;
  if (broker->epoch != stream_->follower_epoch) return ErrorCode::kStaleBrokerEpoch;
  return ErrorCode::kNone;
}

void ReplicaAcceptor::Refuse(ErrorCode error) {
  refused_ = true;
  LeaderToReplica message;
  message.error = error;
  const absl::string_view text = ErrorDescription(error);
  message.error_message = std::string(text.data(), text.size());
  stream_->sender->Send(std::move(message));
  stream_->sender->Close(ToStatus(error, text));
}

void ReplicaAcceptor::OnMessage(const ReplicaToLeader& message) {
  if (refused_) return;
  if (message.has_open == opened_) {
    Refuse(ErrorCode::kInvalidRequest);  // no opening, or a second one
    return;
  }
  if (message.has_open) {
    if (const ErrorCode error = CheckOpen(message.open); error != ErrorCode::kNone) {
      Refuse(error);
      return;
    }
    opened_ = true;
    stream_->follower = message.open.broker_id;
    stream_->follower_epoch = message.open.broker_epoch;
  }
  if (const ErrorCode error = CheckFollower(); error != ErrorCode::kNone) {
    Refuse(error);
    return;
  }
  absl::btree_map<size_t, std::vector<ReplicaUpdate>> by_shard;
  for (const ReplicaUpdate& update : message.updates) {
    by_shard[router_->ShardOf(update.uid)].push_back(update);
  }
  for (auto& [shard, updates] : by_shard) {
    router_->Post(shard, [stream = stream_, sent = std::move(updates)](BrokerShard& at) {
      at.replica_sender().OnUpdates(stream, sent);
    });
  }
  absl::btree_map<size_t, std::vector<RepairRequest>> repairs;
  for (const RepairRequest& request : message.repairs) {
    repairs[router_->ShardOf(request.uid)].push_back(request);
  }
  for (auto& [shard, requests] : repairs) {
    router_->Post(shard, [stream = stream_, asked = std::move(requests)](BrokerShard& at) {
      at.repair_server().OnRequests(stream, asked);
    });
  }
  if (message.credit_bytes <= 0) return;
  const int64_t before = stream_->credit.fetch_add(message.credit_bytes, std::memory_order_relaxed);
  if (before > 0) return;  // nobody can be waiting for credit
  for (size_t shard = 0; shard < config_->num_shards; ++shard) {
    router_->Post(shard,
                  [stream = stream_](BrokerShard& at) { at.replica_sender().OnCredit(stream); });
  }
}

void ReplicaAcceptor::OnClosed() {
  for (size_t shard = 0; shard < config_->num_shards; ++shard) {
    router_->Post(
        shard, [stream = stream_](BrokerShard& at) { at.replica_sender().OnStreamClosed(stream); });
  }
}

}  // namespace quipu
