// BrokerShard's turns: taking effects in, carrying them out in order, and its deadlines.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/shard/broker_shard.h"

namespace quipu {
namespace {

// No deadline is finer than this; it keeps a core that is late from spinning the timer.
constexpr Duration kTimerStepMin = std::chrono::milliseconds(1);

}  // namespace

void BrokerShard::Absorb(PartitionHost& host, PartitionEffects& effects) {
  Count(host, effects);
  log_.Add(host, effects);
  for (ProduceReply& reply : effects.replies) replies_.emplace_back(host.uid, std::move(reply));
  for (DeleteRecordsReply& reply : effects.delete_replies) delete_replies_.push_back(reply);
  if (effects.isr_proposal) proposals_.push_back(std::move(*effects.isr_proposal));
  if (!effects.replica_updates.empty()) {
    fetcher_.AddUpdates(host, std::move(effects.replica_updates));
  }
  for (auto& [follower, push] : effects.replica_answers) {
    sender_.Answer(host, follower, std::move(push));
  }
  host.send_dirty |=
      effects.log_end_moved || effects.high_watermark_moved || effects.log_start_moved;
  host.readers_dirty |= effects.high_watermark_moved;
  host.role_dirty |= effects.role_changed;
  roles_changed_ |= effects.role_changed;
  if (!host.touched) {
    host.touched = true;
    touched_.push_back(host.uid);
  }
  effects = PartitionEffects{};
  ScheduleDeadline(host);
  RequestTurn();
}

void BrokerShard::RequestTurn() {
  if (turn_scheduled_) return;
  turn_scheduled_ = true;
  Post([this] { EndTurn(); });
}

void BrokerShard::EndTurn() {
  turn_scheduled_ = false;
  log_.Submit();
  if (std::exchange(roles_changed_, false)) fetcher_.Reconcile();
  const std::vector<PartitionUid> touched = std::exchange(touched_, {});
  for (const PartitionUid uid : touched) {
    PartitionHost* host = Find(uid);
    if (host == nullptr) continue;
    host->touched = false;
    if (std::exchange(host->send_dirty, false)) sender_.Send(*host);
  }
  sender_.Flush();
  fetcher_.Flush();
  for (IsrProposal& proposal : std::exchange(proposals_, {})) propose_isr_(std::move(proposal));
  SendReplies();
  for (const PartitionUid uid : touched) {
    PartitionHost* host = Find(uid);
    if (host == nullptr) continue;
    const bool role_changed = std::exchange(host->role_dirty, false);
    const bool readable = std::exchange(host->readers_dirty, false);
    if (role_changed || readable) {
      ReportProgress(*host, role_changed);
      coordinators_.OnHostChanged(*host);
    }
    if (readable) retention_.OnGrown(*host);
    if (host->dropping) reconciler_.OnSettled(*host);
  }
  reconciler_.Flush();
}

void BrokerShard::SendReplies() {
  for (const auto& [uid, reply] : std::exchange(replies_, {})) {
    const auto it = produces_.find(reply.token);
    PartitionHost* host = Find(uid);
    if (it == produces_.end()) continue;  // answered by FailAll
    const ProduceDone done = std::move(it->second);
    produces_.erase(it);
    if (host != nullptr && reply.error == ErrorCode::kNone) host->last_ack = GetNow().wall;
    done(reply);
  }
  for (const DeleteRecordsReply& reply : std::exchange(delete_replies_, {})) {
    const auto it = deletes_.find(reply.token);
    if (it == deletes_.end()) continue;
    DeleteRecordsQuery::Part part;
    part.set_error_code(static_cast<int32_t>(reply.error));
    part.set_log_start_offset(reply.log_start_offset.value());
    it->second.join->Complete(index, it->second.slot, std::move(part));
    deletes_.erase(it);
  }
}

void BrokerShard::OnSettled(PartitionHost& host) {
  fetcher_.OnDurable(host);
  RequestTurn();
  reconciler_.OnSettled(host);
}

void BrokerShard::OnRemoved(PartitionHost& host) {
  if (host.scheduled) deadlines_.erase({*host.scheduled, host.uid});
  sender_.Forget(host.uid);
  coordinators_.OnHostRemoved(host.uid);
  repairer_.Forget(host.uid);
  ReportProgress(host, true);
  roles_changed_ = true;
  RequestTurn();
}

void BrokerShard::ScheduleDeadline(PartitionHost& host) {
  const std::optional<Instant> next = host.core.NextDeadline();
  // A deadline that moved back is noticed when its old time comes.
  if (!next || (host.scheduled && *host.scheduled <= *next)) return;
  if (host.scheduled) deadlines_.erase({*host.scheduled, host.uid});
  host.scheduled = next;
  deadlines_.emplace(*next, host.uid);
  ArmTimer();
}

void BrokerShard::ArmTimer() {
  if (deadlines_.empty()) return;
  const Instant at = deadlines_.begin()->first;
  if (armed_at_ && *armed_at_ <= at) return;
  armed_at_ = at;
  PostAfter(std::max(kTimerStepMin, at - GetNow().mono), [this, at] {
    // An earlier one may have been armed since, and served this one too.
    if (armed_at_ == at) OnTimer();
  });
}

void BrokerShard::OnTimer() {
  armed_at_.reset();
  const Now now = GetNow();
  std::vector<PartitionUid> due;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) {
    due.push_back(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
  }
  for (const PartitionUid uid : due) {
    PartitionHost* host = Find(uid);
    if (host == nullptr) continue;
    host->scheduled.reset();
    const std::optional<Instant> next = host->core.NextDeadline();
    if (next && *next <= now.mono) {
      PartitionEffects effects;
      host->core.OnTime(now, effects);
      Absorb(*host, effects);
    } else {
      ScheduleDeadline(*host);
    }
  }
  ArmTimer();
}

}  // namespace quipu
