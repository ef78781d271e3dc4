#include "broker/replica/replica_fetcher.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"

namespace quipu {
namespace {

constexpr Duration kReopenMin = std::chrono::milliseconds(50);
constexpr int kReopenDoublingsMax = 4;  // up to 800 ms, plus as much jitter

}  // namespace

ReplicaFetcher::~ReplicaFetcher() {
  for (auto& [leader, link] : links_) CloseStream(link);
}

const BrokerImage* ReplicaFetcher::Reachable(BrokerId leader) const {
  if (context_.image == nullptr) return nullptr;
  return context_.image->FindBroker(leader);
}

void ReplicaFetcher::Reconcile() {
  absl::btree_map<BrokerId, Members> wanted;
  for (const auto& [uid, host] : context_.hosts) {
    if (host->core.role() != PartitionRole::kFollower || host->dropping) continue;
    const BrokerId leader = host->core.leader();
    if (leader == kNoBroker || leader == context_.config->broker_id) continue;
    wanted[leader].emplace(uid, host->core.leader_epoch());
  }
  for (auto it = links_.begin(); it != links_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    CloseStream(it->second);
    it = links_.erase(it);
  }
  for (auto& [leader, members] : wanted) Fit(leader, links_[leader], std::move(members));
}

void ReplicaFetcher::Fit(BrokerId leader, Link& link, Members wanted) {
  const BrokerImage* broker = Reachable(leader);
  const bool stale =
      link.generation != 0 && (link.own_epoch != context_.broker_epoch || broker == nullptr ||
                               link.leader_epoch != broker->epoch);
  if (stale) CloseStream(link);
  const Members before = std::exchange(link.members, std::move(wanted));
  for (const auto& [uid, epoch] : before) {
    if (!link.members.contains(uid)) Forget(link, uid);
  }
  if (link.generation == 0) {
    if (!link.reopening) Open(leader, link);
    return;
  }
  const Members members = link.members;
  for (const auto& [uid, epoch] : members) {
    const auto known = before.find(uid);
    if (known == before.end() || known->second != epoch) AskPosition(*context_.Find(uid));
  }
}

void ReplicaFetcher::Open(BrokerId leader, Link& link) {
  const BrokerImage* broker = Reachable(leader);
  if (broker == nullptr) {
    ScheduleReopen(leader, link);
    return;
  }
  link.endpoint = broker->peer_endpoint;
  link.leader_epoch = broker->epoch;
  link.own_epoch = context_.broker_epoch;
  link.generation = next_generation_++;
  link.undurable.clear();
  link.updates.clear();
  link.credit = 0;
  const auto context = context_.weak_from_this();
  Executor& runner = context_.executor;
  MessageHandler<LeaderToReplica> handler;
  handler.on_message = [this, context, &runner, leader,
                        generation = link.generation](LeaderToReplica message) {
    auto shared = std::make_shared<LeaderToReplica>(std::move(message));
    runner.Post([this, context, leader, generation, shared] {
      if (const auto alive = context.lock()) OnMessage(leader, generation, std::move(*shared));
    });
  };
  handler.on_closed = [this, context, &runner, leader,
                       generation = link.generation](absl::Status status) {
    runner.Post([this, context, leader, generation, status = std::move(status)] {
      if (const auto alive = context.lock()) OnClosed(leader, generation, status);
    });
  };
  link.sender = context_.ports.OpenReplicaStream(context_.index, link.endpoint, std::move(handler));
  ReplicaToLeader open;
  open.has_open = true;
  open.open = {.cluster_id = context_.config->cluster_id,
               .broker_id = context_.config->broker_id,
               .broker_epoch = context_.broker_epoch,
               .leader_id = leader};
  open.credit_bytes = static_cast<int64_t>(context_.config->replica_credit_bytes);
  link.sender->Send(std::move(open));
  const Members members = link.members;
  for (const auto& [uid, epoch] : members) {
    if (PartitionHost* host = context_.Find(uid)) AskPosition(*host);
  }
}

void ReplicaFetcher::CloseStream(Link& link) {
  if (link.generation == 0) return;
  link.generation = 0;
  link.undurable.clear();
  link.updates.clear();
  link.credit = 0;
  if (link.sender != nullptr) link.sender->Close(absl::CancelledError("no longer followed"));
  link.sender.reset();
}

void ReplicaFetcher::Forget(Link& link, PartitionUid uid) {
  const auto it = link.undurable.find(uid);
  if (it == link.undurable.end()) return;
  for (const auto& [end, bytes] : it->second) link.credit += bytes;
  link.undurable.erase(it);
}

void ReplicaFetcher::ScheduleReopen(BrokerId leader, Link& link) {
  link.reopening = true;
  const int doublings = std::min(link.failures, kReopenDoublingsMax);
  ++link.failures;
  const Duration base = kReopenMin * (1 << doublings);
  const Duration delay = base + Duration(context_.rng.Between(0, base.count()));
  context_.PostAfter(delay, [this, leader] {
    const auto it = links_.find(leader);
    if (it == links_.end()) return;
    it->second.reopening = false;
    if (it->second.generation == 0) Open(leader, it->second);
  });
}

void ReplicaFetcher::AskPosition(PartitionHost& host) {
  PartitionEffects effects;
  host.core.OnReplicaStreamOpened(context_.GetNow(), effects);
  context_.Absorb(host, effects);
}

void ReplicaFetcher::AddUpdates(PartitionHost& host, std::vector<ReplicaUpdate> updates) {
  const auto it = links_.find(host.core.leader());
  // Nothing is lost: a stream that opens asks every member for its position.
  if (it == links_.end() || it->second.generation == 0) return;
  for (ReplicaUpdate& update : updates) it->second.updates.push_back(update);
}

void ReplicaFetcher::OnDurable(PartitionHost& host) {
  const auto it = links_.find(host.core.leader());
  if (it == links_.end()) return;
  const auto found = it->second.undurable.find(host.uid);
  if (found == it->second.undurable.end()) return;
  auto& waiting = found->second;
  // What was cut off by a truncation meanwhile counts as done too.
  const Offset end = host.core.durable_end_offset();
  size_t done = 0;
  while (done < waiting.size() &&
         (waiting[done].first <= end || waiting[done].first > host.core.log_end_offset())) {
    it->second.credit += waiting[done].second;
    ++done;
  }
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(done));
  if (waiting.empty()) it->second.undurable.erase(found);
}

void ReplicaFetcher::Flush() {
  for (auto& [leader, link] : links_) {
    if (link.generation == 0) continue;
    // Credit alone goes out once it is worth a message; with a position it rides along.
    const auto worth = static_cast<int64_t>(context_.config->replica_credit_bytes / 4);
    if (link.updates.empty() && link.credit < std::max<int64_t>(worth, 1)) continue;
    ReplicaToLeader message;
    message.updates.swap(link.updates);
    message.credit_bytes = std::exchange(link.credit, 0);
    link.sender->Send(std::move(message));
  }
}

void ReplicaFetcher::OnMessage(BrokerId leader, uint64_t generation, LeaderToReplica message) {
  const auto it = links_.find(leader);
  if (it == links_.end() || it->second.generation != generation) return;
  if (message.error != ErrorCode::kNone) {
    LogWarn("replica.stream_refused", {{"leader", leader.ToString()},
                                       {"error", std::string(ErrorName(message.error))},
                                       {"detail", message.error_message}});
    CloseStream(it->second);
    ScheduleReopen(leader, it->second);
    return;
  }
  it->second.failures = 0;
  for (ReplicaPush& push : message.pushes) OnPush(leader, it->second, std::move(push));
  context_.RequestTurn();
}

void ReplicaFetcher::OnPush(BrokerId leader, Link& link, ReplicaPush push) {
  int64_t bytes = 0;
  for (const Bytes& batch : push.batches) bytes += static_cast<int64_t>(batch.size());
  PartitionHost* host = context_.Find(push.uid);
  if (host == nullptr || host->dropping || host->core.leader() != leader) {
    link.credit += bytes;
    return;
  }
  const bool damaged = push.error == ErrorCode::kUnderRepair ||
                       push.error == ErrorCode::kDamagedOnAllReplicas ||
                       push.error == ErrorCode::kCorruptMessage;
  if (damaged && link.damaged.insert(push.uid).second) {
    LogWarn("replica.leader_damaged", {{"partition_uid", push.uid.ToString()},
                                       {"leader", leader.ToString()},
                                       {"offset", host->core.log_end_offset().ToString()},
                                       {"error", std::string(ErrorName(push.error))}});
  }
  if (!push.batches.empty()) link.damaged.erase(push.uid);
  PartitionEffects effects;
  const Offset before = host->core.log_end_offset();
  host->core.OnReplicaPush(push, context_.GetNow(), effects);
  if (host->core.log_end_offset() > before) {
    link.undurable[push.uid].emplace_back(host->core.log_end_offset(), bytes);
  } else {
    link.credit += bytes;
  }
  context_.Absorb(*host, effects);
}

void ReplicaFetcher::OnClosed(BrokerId leader, uint64_t generation, const absl::Status& status) {
  const auto it = links_.find(leader);
  if (it == links_.end() || it->second.generation != generation) return;
  LogInfo("replica.stream_closed",
          {{"leader", leader.ToString()}, {"reason", std::string(status.message())}});
  CloseStream(it->second);
  ScheduleReopen(leader, it->second);
}

size_t ReplicaFetcher::undurable_bytes() const {
  int64_t bytes = 0;
  for (const auto& [leader, link] : links_) {
    for (const auto& [uid, pushed] : link.undurable) {
      for (const auto& [end, size] : pushed) bytes += size;
    }
  }
  return static_cast<size_t>(bytes);
}

}  // namespace quipu
