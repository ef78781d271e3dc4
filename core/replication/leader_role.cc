#include "core/replication/leader_role.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/replication/producer_codec.h"

namespace quipu {

LeaderRole::LeaderRole(Options options, ReplicaLog& log, const PartitionAssignment& assignment,
                       ParkedReplies parked, Now now, PartitionEffects& effects)
    : options_(options),
      log_(&log),
      isr_(options.self, options.uid, assignment.leader_epoch),
      parked_(std::move(parked)),
      epoch_start_(log.StartLeaderEpoch(effects)),
      next_isr_check_(now.mono + log.limits().replica_lag_max / 2) {
  QUIPU_CHECK(log_->leader_epoch() == assignment.leader_epoch);
  if (IsPlanted(PlantedBug::kDuplicateAfterFailover)) log_->ForgetProducers();
  OnImage(assignment, now, effects);
}

void LeaderRole::OnImage(const PartitionAssignment& assignment, Now now,
                         PartitionEffects& effects) {
  config_ = assignment.config;
  BrokerEpoch self_epoch = kNoBrokerEpoch;
  std::vector<FollowerProgress> followers;
  for (const ReplicaInfo& info : assignment.replicas) {
    if (info.broker == options_.self) {
      self_epoch = info.epoch;
      continue;
    }
    const FollowerProgress* known = Find(info.broker);
    FollowerProgress follower = known != nullptr ? *known : FollowerProgress{};
    // A member of the ISR that was not heard of yet gets the whole time to catch up.
    if (known == nullptr) follower.last_caught_up = now.mono;
    follower.info = info;
    followers.push_back(follower);
  }
  followers_ = std::move(followers);
  isr_.OnImage(assignment.partition_epoch, assignment.isr, self_epoch);
  MaybeAdvanceHighWatermark(effects);
  MaybeExpandIsr(now, effects);
  AnswerDeletes(effects);
}

// ---- followers ------------------------------------------------------------------------------

FollowerProgress* LeaderRole::Find(BrokerId follower) {
  for (FollowerProgress& known : followers_) {
    if (known.info.broker == follower) return &known;
  }
  return nullptr;
}

const FollowerProgress* LeaderRole::Find(BrokerId follower) const {
  return const_cast<LeaderRole*>(this)->Find(follower);
}

void LeaderRole::AnswerError(BrokerId follower, LeaderEpoch asked_in, ErrorCode error,
                             PartitionEffects& effects) const {
  effects.replica_answers.emplace_back(
      follower, ReplicaPush{.uid = options_.uid,
                            .leader_epoch = asked_in,
                            .error = error,
                            .high_watermark = log_->offsets().high_watermark(),
                            .log_start_offset = log_->offsets().log_start(),
                            .batches = {}});
}

void LeaderRole::SendToLogStart(BrokerId follower, PartitionEffects& effects) const {
  AnswerError(follower, log_->leader_epoch(), ErrorCode::kOffsetOutOfRange, effects);
  // The follower cannot read what was trimmed, so what it tells of producers must come along (P03).
  effects.replica_answers.back().second.producers =
      EncodeProducers(log_->producers().Snapshot(log_->offsets().log_start()).producers);
}

void LeaderRole::SendProducers(FollowerProgress& follower, Offset offset,
                               PartitionEffects& effects) const {
  follower.producers_as_of = offset;
  follower.joins_at = log_->offsets().log_end();
  AnswerError(follower.info.broker, log_->leader_epoch(), ErrorCode::kNone, effects);
  ReplicaPush& push = effects.replica_answers.back().second;
  push.base_offset = offset;
  push.producers_whole_at = follower.joins_at;
  push.producers = EncodeProducers(log_->producers().Snapshot(offset).producers);
}

bool LeaderRole::Match(const FollowerProgress& follower, const ReplicaUpdate& update,
                       PartitionEffects& effects) const {
  const BrokerId broker = follower.info.broker;
  const LogOffsets& offsets = log_->offsets();
  // An epoch older than all that is known here cannot be compared: what the follower holds below
  // the log start may differ, and nothing here would tell.
  const bool incomparable = update.last_epoch != kNoLeaderEpoch &&
                            update.last_epoch < log_->epochs().entries().front().epoch;
  if (update.fetch_offset < offsets.log_start() || incomparable) {
    SendToLogStart(broker, effects);
    return false;
  }
  if (update.last_epoch == kNoLeaderEpoch) {
    // Nothing below fetch_offset is kept there, so there is nothing to compare.
    if (update.fetch_offset <= offsets.log_end()) return true;
    AnswerError(broker, update.leader_epoch, ErrorCode::kOffsetOutOfRange, effects);
    return false;
  }
  const bool within = update.fetch_offset <= offsets.log_end();
  if (IsPlanted(PlantedBug::kDivergenceNotLookedFor) && within) return true;
  const auto end = log_->epochs().EndOffsetFor(update.last_epoch, offsets.log_end());
  QUIPU_CHECK(end.has_value());  // the epoch of this leader, at least
  if (IsPlanted(PlantedBug::kUnknownEpochTakenAsMatch) && within &&
      end->epoch != update.last_epoch) {
    return true;
  }
  if (end->epoch == update.last_epoch && end->end_offset >= update.fetch_offset) return true;
  effects.replica_answers.emplace_back(broker,
                                       ReplicaPush{.uid = options_.uid,
                                                   .leader_epoch = update.leader_epoch,
                                                   .high_watermark = offsets.high_watermark(),
                                                   .log_start_offset = offsets.log_start(),
                                                   .batches = {},
                                                   .diverging_epoch = end->epoch,
                                                   .diverging_end_offset = end->end_offset});
  return false;
}

void LeaderRole::OnReplicaUpdate(BrokerId broker, BrokerEpoch broker_epoch,
                                 const ReplicaUpdate& update, Now now, PartitionEffects& effects) {
  QUIPU_INVARIANT("I32", update.leader_epoch == log_->leader_epoch());
  FollowerProgress* follower = Find(broker);
  if (follower == nullptr) {
    // Not a replica, as far as the image here knows.
    AnswerError(broker, update.leader_epoch, ErrorCode::kReplicaNotAvailable, effects);
    return;
  }
  // A life of that broker that has ended (PR3). A life that the image here does not know yet may be
  // served, but does not join the ISR.
  if (broker_epoch < follower->info.epoch || broker_epoch < follower->broker_epoch) {
    AnswerError(broker, update.leader_epoch, ErrorCode::kStaleBrokerEpoch, effects);
    return;
  }
  if (broker_epoch > follower->broker_epoch) follower->Forget(broker_epoch);
  const LogOffsets& offsets = log_->offsets();
  if (update.restart) {
    if (!Match(*follower, update, effects)) {
      if (IsPlanted(PlantedBug::kUncomparedFollowerCounted) &&
          update.durable_end_offset <= offsets.log_end()) {
        follower->matched = true;
        follower->NoteUpdate(update.durable_end_offset, offsets.log_end(), now.mono);
        MaybeAdvanceHighWatermark(effects);
      }
      return;
    }
    follower->connected = follower->matched = true;
    follower->sent_end = update.fetch_offset;
    follower->told_high_watermark = follower->told_log_start = kNoOffset;
    effects.log_end_moved = true;
    follower->producers_as_of = follower->joins_at = kNoOffset;
  } else if (!follower->connected || !follower->matched) {
    AnswerError(broker, update.leader_epoch, ErrorCode::kReplicaNotAvailable, effects);
    return;
  }
  // An end beyond this log, or beyond what was compared, was not got from here.
  const Offset limit = update.restart ? update.fetch_offset : offsets.log_end();
  if (update.durable_end_offset > limit) return;
  const bool first = follower->durable_end == kNoOffset;
  const Offset durable = first || update.restart
                             ? update.durable_end_offset
                             : std::max(follower->durable_end, update.durable_end_offset);
  follower->NoteUpdate(durable, offsets.log_end(), now.mono);
  follower->wants_producers = update.producers_unknown && log_->producers_known();
  // Not while what it holds has yet to be sent once more: it could not take it.
  if (follower->wants_producers && update.fetch_offset > follower->producers_as_of &&
      follower->sent_end >= update.fetch_offset) {
    SendProducers(*follower, follower->sent_end, effects);
  }
  follower->log_start = std::max(follower->log_start, update.log_start_offset);
  MaybeAdvanceHighWatermark(effects);
  MaybeExpandIsr(now, effects);
  AnswerDeletes(effects);
}

void LeaderRole::OnReplicaGone(BrokerId broker) {
  FollowerProgress* follower = Find(broker);
  if (follower != nullptr) follower->connected = false;
}

std::vector<PartitionCore::FollowerLag> LeaderRole::follower_lags() const {
  std::vector<PartitionCore::FollowerLag> lags;
  for (const FollowerProgress& follower : followers_) {
    if (!follower.matched) continue;
    lags.push_back({.follower = follower.info.broker,
                    .records = log_->offsets().log_end() - follower.durable_end});
  }
  return lags;
}

PartitionCore::SendPlan LeaderRole::PlanSend(BrokerId broker) const {
  const LogOffsets& offsets = log_->offsets();
  PartitionCore::SendPlan plan{.from = offsets.log_end(),
                               .end = offsets.log_end(),
                               .leader_epoch = log_->leader_epoch(),
                               .high_watermark = offsets.high_watermark(),
                               .log_start_offset = offsets.log_start()};
  const FollowerProgress* follower = Find(broker);
  if (follower == nullptr || !follower->connected || !follower->matched) return plan;
  plan.from = follower->sent_end;
  const bool others = plan.from < plan.end || follower->told_log_start != plan.log_start_offset;
  plan.high_watermark_only = !others && follower->told_high_watermark != plan.high_watermark;
  plan.anything = others || plan.high_watermark_only;
  return plan;
}

void LeaderRole::OnSent(BrokerId broker, Offset sent_end, Offset high_watermark, Offset log_start) {
  FollowerProgress* follower = Find(broker);
  if (follower == nullptr || !follower->connected) return;
  follower->sent_end = std::min(std::max(follower->sent_end, sent_end), log_->offsets().log_end());
  follower->told_high_watermark = high_watermark;
  follower->told_log_start = log_start;
}

void LeaderRole::Append(const RecordBatchView& batch, Now now, PartitionEffects& effects) {
  // The next check may be long past, from before the partition fell idle. While somebody lags it
  // stays, or a stream of appends would put it off for ever.
  if (!AwaitsFollowers()) {
    next_isr_check_ = std::max(next_isr_check_, now.mono + log_->limits().replica_lag_max / 2);
  }
  const Offset end = log_->offsets().log_end();
  for (FollowerProgress& follower : followers_) {
    if (follower.matched && follower.durable_end >= end) follower.last_caught_up = now.mono;
  }
  log_->Append(batch, effects);
  effects.log_end_moved = true;
}

// ---- high watermark and ISR -----------------------------------------------------------------

size_t LeaderRole::MinIsrEffective() const {
  const size_t wanted = static_cast<size_t>(std::max(config_.min_insync_replicas, 1));
  return std::min(wanted, followers_.size() + 1);
}

IsrTracker::LogView LeaderRole::LogNow() const {
  return {.high_watermark = log_->offsets().high_watermark(),
          .log_end = log_->offsets().log_end(),
          .epoch_start = epoch_start_,
          .min_isr = MinIsrEffective()};
}

void LeaderRole::MaybeAdvanceHighWatermark(PartitionEffects& effects) {
  if (isr_.isr().size() < MinIsrEffective() && !IsPlanted(PlantedBug::kHighWatermarkBelowMinIsr)) {
    return;
  }
  const std::vector<BrokerId>& members =
      IsPlanted(PlantedBug::kMaximalIsrIgnored) ? isr_.isr() : isr_.maximal();
  Offset end = IsPlanted(PlantedBug::kLeaderCountsUnsyncedEnd) ? log_->offsets().log_end()
                                                               : log_->offsets().durable_end();
  for (BrokerId member : members) {
    if (member == options_.self) continue;
    const FollowerProgress* follower = Find(member);
    if (follower == nullptr || !follower->matched) return;
    end = std::min(end, follower->durable_end);
  }
  if (!log_->AdvanceHighWatermark(end, effects)) return;
  parked_.AnswerAcks(log_->offsets().high_watermark(), effects);
}

void LeaderRole::MaybeExpandIsr(Now now, PartitionEffects& effects) {
  if (isr_.isr().size() == followers_.size() + 1) return;
  auto proposal = isr_.ProposeExpand(followers_, LogNow(), now);
  if (proposal) effects.isr_proposal = std::move(proposal);
}

void LeaderRole::OnIsrResult(PartitionEpoch proposed_at, ErrorCode error, Now now,
                             PartitionEffects& effects) {
  if (isr_.OnResult(proposed_at, error, now)) MaybeAdvanceHighWatermark(effects);
}

void LeaderRole::OnLogDurable(PartitionEffects& effects) { MaybeAdvanceHighWatermark(effects); }

// ---- log start ------------------------------------------------------------------------------

void LeaderRole::OnDeleteRecords(ReplyToken token, Offset before, Duration timeout, Now now,
                                 PartitionEffects& effects) {
  const Offset high_watermark = log_->offsets().high_watermark();
  const Offset target = before == kNoOffset ? high_watermark : before;
  DeleteRecordsReply reply{.token = token, .log_start_offset = target};
  if (target < Offset{0} || target > high_watermark) {
    reply.error = ErrorCode::kOffsetOutOfRange;
  } else if (parked_.deletes() >= log_->limits().parked_acks_max) {
    reply.error = ErrorCode::kLimitReached;
  }
  if (reply.error != ErrorCode::kNone) {
    reply.log_start_offset = kNoOffset;
    effects.delete_replies.push_back(reply);
    return;
  }
  RaiseLogStart(target, effects);
  reply.log_start_offset = std::max(target, log_->offsets().log_start());
  parked_.ParkDelete(reply, now.mono + timeout);
  AnswerDeletes(effects);
}

void LeaderRole::OnRetention(Offset new_log_start, PartitionEffects& effects) {
  RaiseLogStart(new_log_start, effects);
}

void LeaderRole::RaiseLogStart(Offset log_start, PartitionEffects& effects) {
  if (!log_->RaiseLogStart(log_start, effects)) return;
  const LogOffsets& offsets = log_->offsets();
  for (FollowerProgress& follower : followers_) {
    if (!follower.connected || follower.sent_end >= offsets.log_start()) continue;
    // What comes next for it is gone; it has to begin anew at the log start.
    follower.connected = false;
    SendToLogStart(follower.info.broker, effects);
  }
}

void LeaderRole::AnswerDeletes(PartitionEffects& effects) {
  if (!parked_.waits_for_deletes()) return;
  Offset lowest = log_->offsets().log_start();
  for (BrokerId member : isr_.isr()) {
    if (member == options_.self) continue;
    const FollowerProgress* follower = Find(member);
    if (follower == nullptr || !follower->matched) return;
    lowest = std::min(lowest, follower->log_start);
  }
  parked_.AnswerDeletes(lowest, effects);
}

// ---- time -----------------------------------------------------------------------------------

void LeaderRole::OnTime(Now now, PartitionEffects& effects) {
  parked_.AnswerExpired(now.mono, effects);
  if (auto proposal = isr_.Repeat(now)) effects.isr_proposal = std::move(proposal);
  if (now.mono < next_isr_check_) return;
  const Duration lag_max = log_->limits().replica_lag_max;
  next_isr_check_ = now.mono + lag_max / 2;
  CallFollowers(effects);
  auto proposal = isr_.ProposeShrink(followers_, LogNow(), lag_max, now);
  if (proposal) effects.isr_proposal = std::move(proposal);
  MaybeExpandIsr(now, effects);
}

std::optional<Instant> LeaderRole::NextDeadline() const {
  std::optional<Instant> next = parked_.NextDeadline();
  const auto add = [&next](Instant deadline) {
    next = next ? std::min(*next, deadline) : deadline;
  };
  if (const auto deadline = isr_.NextDeadline()) add(*deadline);
  if (AwaitsFollowers()) add(next_isr_check_);
  return next;
}

bool LeaderRole::AwaitsFollowers() const {
  const Offset end = log_->offsets().log_end();
  return std::any_of(followers_.begin(), followers_.end(), [&](const FollowerProgress& follower) {
    const bool member = isr_.InIsr(follower.info.broker);
    // One that is fenced comes back with an image, or with its own word.
    if (follower.info.fenced && !member) return false;
    return !member || !follower.connected || !follower.matched || follower.durable_end < end;
  });
}

void LeaderRole::CallFollowers(PartitionEffects& effects) const {
  for (const FollowerProgress& follower : followers_) {
    if (follower.info.fenced || (follower.connected && follower.matched)) continue;
    AnswerError(follower.info.broker, log_->leader_epoch(), ErrorCode::kReplicaNotAvailable,
                effects);
  }
}

void LeaderRole::CheckInvariants() const {
  isr_.CheckInvariants();
  parked_.CheckInvariants(log_->offsets().high_watermark());
  QUIPU_INVARIANT("I31", isr_.InIsr(options_.self));
  QUIPU_INVARIANT("I30", log_->epochs().newest_epoch() == log_->leader_epoch());
  for (const FollowerProgress& follower : followers_) {
    if (!follower.matched) continue;
    QUIPU_INVARIANT("I24", follower.sent_end <= log_->offsets().log_end());
    QUIPU_INVARIANT("I24", follower.durable_end <= log_->offsets().log_end());
  }
}

}  // namespace quipu
