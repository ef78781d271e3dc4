#include "broker/repair/repair_links.h"

#include <utility>
#include <vector>

#include "base/logging.h"

namespace quipu {

RepairLinks::~RepairLinks() { CloseAll(); }

const BrokerImage* RepairLinks::Find(BrokerId peer) const {
  return context_.image == nullptr ? nullptr : context_.image->FindBroker(peer);
}

void RepairLinks::Send(BrokerId peer, RepairRequest request) {
  const auto found = links_.find(peer);
  Link* link = found != links_.end() ? &found->second : Open(peer);
  if (link == nullptr) {
    PostLost(peer);
    return;
  }
  ReplicaToLeader message;
  message.repairs.push_back(request);
  link->sender->Send(std::move(message));
}

RepairLinks::Link* RepairLinks::Open(BrokerId peer) {
  const BrokerImage* broker = Find(peer);
  if (broker == nullptr) return nullptr;
  Link& link = links_[peer];
  link.generation = next_generation_++;
  link.peer_epoch = broker->epoch;
  link.own_epoch = context_.broker_epoch;
  const auto context = context_.weak_from_this();
  Executor& runner = context_.executor;
  MessageHandler<LeaderToReplica> handler;
  handler.on_message = [this, context, &runner, peer,
                        generation = link.generation](LeaderToReplica message) {
    auto shared = std::make_shared<LeaderToReplica>(std::move(message));
    runner.Post([this, context, peer, generation, shared] {
      if (const auto alive = context.lock()) OnMessage(peer, generation, std::move(*shared));
    });
  };
  handler.on_closed = [this, context, &runner, peer,
                       generation = link.generation](const absl::Status& /*status*/) {
    runner.Post([this, context, peer, generation] {
      if (const auto alive = context.lock()) OnClosed(peer, generation);
    });
  };
  link.sender =
      context_.ports.OpenReplicaStream(context_.index, broker->peer_endpoint, std::move(handler));
  ReplicaToLeader open;
  open.has_open = true;
  open.open = {.cluster_id = context_.config->cluster_id,
               .broker_id = context_.config->broker_id,
               .broker_epoch = context_.broker_epoch,
               .leader_id = peer};
  link.sender->Send(std::move(open));
  return &link;
}

void RepairLinks::Close(BrokerId peer) {
  const auto found = links_.find(peer);
  if (found == links_.end()) return;
  const std::unique_ptr<MessageSender<ReplicaToLeader>> sender = std::move(found->second.sender);
  links_.erase(found);
  sender->Close(absl::CancelledError("nothing to repair"));
}

void RepairLinks::CloseAll() {
  while (!links_.empty()) Close(links_.begin()->first);
}

void RepairLinks::OnImage() {
  std::vector<BrokerId> stale;
  for (const auto& [peer, link] : links_) {
    const BrokerImage* broker = Find(peer);
    if (broker == nullptr || broker->epoch != link.peer_epoch ||
        context_.broker_epoch != link.own_epoch) {
      stale.push_back(peer);
    }
  }
  for (const BrokerId peer : stale) {
    Close(peer);
    PostLost(peer);
  }
}

void RepairLinks::PostLost(BrokerId peer) {
  context_.Post([this, peer] { listener_.on_lost(peer); });
}

void RepairLinks::OnMessage(BrokerId peer, uint64_t generation, LeaderToReplica message) {
  const auto found = links_.find(peer);
  if (found == links_.end() || found->second.generation != generation) return;
  if (message.error != ErrorCode::kNone) {
    LogWarn("repair.stream_refused", {{"peer", peer.ToString()},
                                      {"error", std::string(ErrorName(message.error))},
                                      {"detail", message.error_message}});
    Close(peer);
    listener_.on_lost(peer);
    return;
  }
  for (RepairAnswer& answer : message.repairs) listener_.on_answer(peer, std::move(answer));
}

void RepairLinks::OnClosed(BrokerId peer, uint64_t generation) {
  const auto found = links_.find(peer);
  if (found == links_.end() || found->second.generation != generation) return;
  links_.erase(found);
  listener_.on_lost(peer);
}

}  // namespace quipu
