#include "broker/replica/replica_sender.h"

#include <algorithm>
#include <utility>

namespace quipu {

ReplicaSender::Outgoing& ReplicaSender::OutgoingOf(const ReplicaStreamPtr& stream) {
  Outgoing& outgoing = streams_[stream->id];
  if (outgoing.stream == nullptr) outgoing.stream = stream;
  return outgoing;
}

void ReplicaSender::OnUpdates(const ReplicaStreamPtr& stream,
                              const std::vector<ReplicaUpdate>& updates) {
  for (const ReplicaUpdate& update : updates) {
    PartitionHost* host = context_.Find(update.uid);
    if (host == nullptr || host->dropping) {
      ReplicaPush push;
      push.uid = update.uid;
      push.leader_epoch = update.leader_epoch;
      push.error = ErrorCode::kNotLeaderOrFollower;
      Enqueue(OutgoingOf(stream), std::move(push), 0);
      continue;
    }
    Follower& follower = followers_[update.uid][stream->follower];
    if (follower.stream != nullptr && follower.stream->id > stream->id) continue;  // a late one
    follower.stream = stream;
    OutgoingOf(stream).members.insert(update.uid);
    PartitionEffects effects;
    host->core.OnReplicaUpdate(stream->follower, stream->follower_epoch, update, context_.GetNow(),
                               effects);
    host->send_dirty = true;
    context_.Absorb(*host, effects);
  }
  context_.RequestTurn();
}

void ReplicaSender::OnCredit(const ReplicaStreamPtr& stream) {
  const auto it = streams_.find(stream->id);
  if (it == streams_.end()) return;
  absl::btree_set<PartitionUid> blocked;
  blocked.swap(it->second.blocked);
  for (const PartitionUid uid : blocked) {
    if (PartitionHost* host = context_.Find(uid)) Send(*host);
  }
  context_.RequestTurn();
}

void ReplicaSender::OnStreamClosed(const ReplicaStreamPtr& stream) {
  const auto it = streams_.find(stream->id);
  if (it == streams_.end()) return;
  const absl::btree_set<PartitionUid> members = std::move(it->second.members);
  streams_.erase(it);
  for (const PartitionUid uid : members) {
    const auto found = followers_.find(uid);
    if (found == followers_.end()) continue;
    const auto follower = found->second.find(stream->follower);
    if (follower == found->second.end() || follower->second.stream->id != stream->id) continue;
    found->second.erase(follower);
    if (PartitionHost* host = context_.Find(uid)) host->core.OnReplicaGone(stream->follower);
  }
}

void ReplicaSender::Answer(PartitionHost& host, BrokerId follower, ReplicaPush push) {
  const auto found = followers_.find(host.uid);
  if (found == followers_.end()) return;
  const auto it = found->second.find(follower);
  if (it == found->second.end()) return;       // its stream is gone, so is the wish for an answer
  const size_t bytes = push.producers.size();  // for a follower that begins anew or lacks them
  Enqueue(OutgoingOf(it->second.stream), std::move(push), bytes);
}

void ReplicaSender::Forget(PartitionUid uid) {
  const auto found = followers_.find(uid);
  if (found == followers_.end()) return;
  for (auto& [id, follower] : found->second) {
    const auto stream = streams_.find(follower.stream->id);
    if (stream == streams_.end()) continue;
    stream->second.members.erase(uid);
    stream->second.blocked.erase(uid);
  }
  followers_.erase(found);
}

void ReplicaSender::Send(PartitionHost& host, bool high_watermark_alone) {
  if (host.core.role() != PartitionRole::kLeader) return;
  const auto found = followers_.find(host.uid);
  if (found == followers_.end()) return;
  for (auto& [id, follower] : found->second) SendTo(host, id, follower, high_watermark_alone);
}

void ReplicaSender::DeferHighWatermark(PartitionUid uid) {
  const bool armed = !deferred_.empty();
  deferred_.insert(uid);
  if (armed) return;
  context_.PostAfter(kHighWatermarkDelay, [this] {
    for (const PartitionUid due : std::exchange(deferred_, {})) {
      if (PartitionHost* host = context_.Find(due)) Send(*host, /*high_watermark_alone=*/true);
    }
    Flush();
  });
}

void ReplicaSender::SendTo(PartitionHost& host, BrokerId id, Follower& follower,
                           bool high_watermark_alone) {
  while (!follower.reading) {
    const PartitionCore::SendPlan plan = host.core.PlanSend(id);
    if (!plan.anything) return;
    if (plan.high_watermark_only && !high_watermark_alone) {
      DeferHighWatermark(host.uid);
      return;
    }
    if (plan.from >= plan.end) {
      Push(host, id, follower.stream, plan, {});
      return;
    }
    const int64_t credit = follower.stream->credit.load(std::memory_order_relaxed);
    if (credit <= 0) {
      OutgoingOf(follower.stream).blocked.insert(host.uid);
      return;
    }
    if (!context_.tail.Covers(host.uid, plan.from)) {
      StartColdRead(host, id, follower, plan);
      return;
    }
    const size_t budget = std::min<size_t>(kReplicaMessageBytesMax, static_cast<size_t>(credit));
    const std::vector<StoredBatch> batches =
        context_.tail.Read(host.uid, plan.from, plan.end, budget);
    if (batches.empty()) return;
    Push(host, id, follower.stream, plan, batches);
  }
}

void ReplicaSender::StartColdRead(PartitionHost& host, BrokerId id, Follower& follower,
                                  const PartitionCore::SendPlan& plan) {
  const Offset end = std::min(plan.end, host.core.durable_end_offset());
  if (plan.from >= end) return;
  follower.reading = true;
  context_.ReadCold(
      [log_id = host.log_id, from = plan.from, end](LogStore& store) {
        return store.Read(log_id, from, end, kReplicaMessageBytesMax);
      },
      [this, uid = host.uid, id, from = plan.from,
       epoch = plan.leader_epoch](const absl::StatusOr<std::vector<StoredBatch>>& batches) {
        OnColdRead(uid, id, from, epoch, batches);
      });
}

void ReplicaSender::OnColdRead(PartitionUid uid, BrokerId id, Offset from, LeaderEpoch epoch,
                               const absl::StatusOr<std::vector<StoredBatch>>& batches) {
  PartitionHost* host = context_.Find(uid);
  const auto found = followers_.find(uid);
  if (host == nullptr || found == followers_.end()) return;
  const auto it = found->second.find(id);
  if (it == found->second.end()) return;
  Follower& follower = it->second;
  follower.reading = false;
  if (!batches.ok()) {
    // Damage is never passed on (D5). The follower is told, and asks again after a pause.
    const DamageVerdict verdict = context_.OnDamage(uid, batches.status());
    ReplicaPush push;
    push.uid = uid;
    push.leader_epoch = epoch;
    push.error = verdict.error;
    push.high_watermark = host->core.high_watermark();
    push.log_start_offset = host->core.log_start_offset();
    Enqueue(OutgoingOf(follower.stream), std::move(push), 0);
    context_.RequestTurn();
    return;
  }
  if (host->core.role() != PartitionRole::kLeader) return;
  const PartitionCore::SendPlan plan = host->core.PlanSend(id);
  const bool wanted = plan.anything && plan.from == from && plan.leader_epoch == epoch;
  if (wanted && !batches->empty()) Push(*host, id, follower.stream, plan, *batches);
  SendTo(*host, id, follower, /*high_watermark_alone=*/false);
  context_.RequestTurn();
}

void ReplicaSender::Push(PartitionHost& host, BrokerId id, const ReplicaStreamPtr& stream,
                         const PartitionCore::SendPlan& plan,
                         const std::vector<StoredBatch>& batches) {
  ReplicaPush push;
  push.uid = host.uid;
  push.leader_epoch = plan.leader_epoch;
  push.high_watermark = plan.high_watermark;
  push.log_start_offset = plan.log_start_offset;
  Offset end = plan.from;
  size_t bytes = 0;
  if (!batches.empty()) push.base_offset = batches.front().base_offset;
  for (const StoredBatch& batch : batches) {
    bytes += batch.bytes.size();
    end = batch.last_offset + 1;
    push.batches.push_back(batch.bytes);
  }
  stream->credit.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  Enqueue(OutgoingOf(stream), std::move(push), bytes);
  host.core.OnSent(id, end, plan.high_watermark, plan.log_start_offset);
}

void ReplicaSender::Enqueue(Outgoing& outgoing, ReplicaPush push, size_t bytes) {
  if (bytes > 0 && outgoing.bytes > 0 && outgoing.bytes + bytes > kReplicaMessageBytesMax) {
    SendMessage(outgoing);
  }
  outgoing.bytes += bytes;
  outgoing.message.pushes.push_back(std::move(push));
}

void ReplicaSender::SendMessage(Outgoing& outgoing) {
  if (outgoing.message.pushes.empty()) return;
  outgoing.stream->sender->Send(std::exchange(outgoing.message, LeaderToReplica{}));
  outgoing.bytes = 0;
}

void ReplicaSender::Flush() {
  for (auto& [id, outgoing] : streams_) SendMessage(outgoing);
}

}  // namespace quipu
