#include "core/replication/partition_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/replication/follower_role.h"
#include "core/replication/leader_role.h"
#include "core/replication/replica_log.h"

namespace quipu {

struct PartitionCore::Parts {
  Parts(Options given, RecoveredLog recovered)
      : options(std::move(given)),
        recovered_epoch(recovered.state.leader_epoch),
        log(options.limits, std::move(recovered)) {}

  Options options;
  // The leader epoch that the store knew when this process took the log over: it may have been led,
  // and lost a tail, before. Never lead in it again (PR4, R25).
  LeaderEpoch recovered_epoch;
  ReplicaLog log;
  PartitionConfig config;
  BrokerId leader_broker = kNoBroker;
  std::vector<BrokerId> isr;
  std::optional<LeaderRole> leader;
  std::optional<FollowerRole> follower;
  // What arrived while the log was being cut; the newest counts.
  std::optional<PartitionAssignment> pending_assignment;
  bool pending_resign = false;
  Instant next_expiry{};  // of producers; zero, not min(): it is subtracted from

  void Apply(const PartitionAssignment& assignment, Now now, PartitionEffects& effects);
  void Lead(const PartitionAssignment& assignment, bool new_epoch, Now now,
            PartitionEffects& effects);
  void Follow(const PartitionAssignment& assignment, bool new_epoch, Now now,
              PartitionEffects& effects);
  void LeaveRole(PartitionEffects& effects);
  void ExpireProducers(Now now);
};

PartitionCore::PartitionCore(Options options, RecoveredLog recovered)
    : parts_(std::make_unique<Parts>(std::move(options), std::move(recovered))) {}
PartitionCore::PartitionCore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PartitionCore::~PartitionCore() = default;

std::unique_ptr<PartitionCore> PartitionCore::Clone() const {
  auto parts = std::make_unique<Parts>(*parts_);
  if (parts->leader) parts->leader->MoveTo(parts->log);
  if (parts->follower) parts->follower->MoveTo(parts->log);
  return std::unique_ptr<PartitionCore>(new PartitionCore(std::move(parts)));
}

// ---- metadata -------------------------------------------------------------------------------

void PartitionCore::Parts::LeaveRole(PartitionEffects& effects) {
  if (!leader && !follower) return;
  if (leader) leader->TakeParked().Abandon(effects);
  leader.reset();
  follower.reset();
  effects.role_changed = true;
}

void PartitionCore::Parts::Apply(const PartitionAssignment& assignment, Now now,
                                 PartitionEffects& effects) {
  // Older news (R05, R22).
  if (assignment.leader_epoch < log.leader_epoch()) return;
  if (assignment.partition_epoch < log.partition_epoch()) return;
  const bool new_epoch = assignment.leader_epoch > log.leader_epoch();
  config = assignment.config;
  leader_broker = assignment.leader;
  isr = assignment.isr;
  // A person gave up what this log may have beyond that leader's. For the leader itself nothing is
  // void: its log is what counts.
  if (assignment.unclean_epoch > log.leader_epoch() && assignment.leader != options.self) {
    log.ForgetHighWatermark();
  }
  log.SetEpochs(assignment.leader_epoch, assignment.partition_epoch, effects);
  const bool is_replica =
      std::any_of(assignment.replicas.begin(), assignment.replicas.end(),
                  [&](const ReplicaInfo& replica) { return replica.broker == options.self; });
  if (!is_replica || assignment.leader == kNoBroker) {
    LeaveRole(effects);
  } else if (assignment.leader == options.self) {
    Lead(assignment, new_epoch, now, effects);
  } else {
    Follow(assignment, new_epoch, now, effects);
  }
}

void PartitionCore::Parts::Lead(const PartitionAssignment& assignment, bool new_epoch, Now now,
                                PartitionEffects& effects) {
  if (leader && !new_epoch) {
    leader->OnImage(assignment, now, effects);
    return;
  }
  if (assignment.leader_epoch <= recovered_epoch &&
      !IsPlanted(PlantedBug::kSameEpochAfterRestart)) {
    LeaveRole(effects);
    return;
  }
  ParkedReplies parked;
  if (leader) parked = leader->TakeParked();
  leader.reset();
  follower.reset();
  leader.emplace(LeaderRole::Options{.self = options.self, .uid = options.identity.uid}, log,
                 assignment, std::move(parked), now, effects);
  effects.role_changed = true;
  effects.log_end_moved = true;
}

void PartitionCore::Parts::Follow(const PartitionAssignment& assignment, bool new_epoch, Now now,
                                  PartitionEffects& effects) {
  if (follower && !new_epoch) return;
  LeaveRole(effects);
  follower.emplace(options.identity.uid, assignment.leader, log, now);
  effects.role_changed = true;
  const LogOffsets& offsets = log.offsets();
  if (IsPlanted(PlantedBug::kNoEpochCheckOnTruncation) &&
      offsets.high_watermark() < offsets.log_end()) {
    log.TruncateTo(offsets.high_watermark(), effects);
  }
}

void PartitionCore::OnAssignment(const PartitionAssignment& assignment, Now now,
                                 PartitionEffects& effects) {
  Parts& parts = *parts_;
  if (!parts.log.truncating()) {
    parts.Apply(assignment, now, effects);
    return;
  }
  // Roles begin on a log that stands still.
  if (parts.pending_assignment &&
      (assignment.leader_epoch < parts.pending_assignment->leader_epoch ||
       assignment.partition_epoch < parts.pending_assignment->partition_epoch)) {
    return;
  }
  parts.pending_assignment = assignment;
  parts.pending_resign = false;
}

void PartitionCore::Resign(Now /*now*/, PartitionEffects& effects) {
  Parts& parts = *parts_;
  if (parts.log.truncating()) {
    parts.pending_assignment.reset();
    parts.pending_resign = true;
    return;
  }
  parts.LeaveRole(effects);
}

// ---- leader ---------------------------------------------------------------------------------

void PartitionCore::OnProduce(const ProduceInput& input, Now now, PartitionEffects& effects) {
  const ErrorCode error = CheckLeader(input.leader_epoch);
  if (error != ErrorCode::kNone) {
    effects.replies.push_back({.token = input.token, .error = error, .message = {}});
    return;
  }
  parts_->leader->OnProduce(input, now, effects);
}

void PartitionCore::OnReplicaUpdate(BrokerId follower, BrokerEpoch broker_epoch,
                                    const ReplicaUpdate& update, Now now,
                                    PartitionEffects& effects) {
  const bool any_epoch = IsPlanted(PlantedBug::kOldEpochUpdateAccepted);
  const ErrorCode error = CheckLeader(any_epoch ? kNoLeaderEpoch : update.leader_epoch);
  if (error != ErrorCode::kNone) {
    effects.replica_answers.emplace_back(follower, ReplicaPush{.uid = parts_->options.identity.uid,
                                                               .leader_epoch = update.leader_epoch,
                                                               .error = error,
                                                               .batches = {}});
    return;
  }
  parts_->leader->OnReplicaUpdate(follower, broker_epoch, update, now, effects);
}

void PartitionCore::OnReplicaGone(BrokerId follower) {
  if (parts_->leader) parts_->leader->OnReplicaGone(follower);
}

void PartitionCore::OnIsrResult(PartitionEpoch proposed_at, ErrorCode error, Now now,
                                PartitionEffects& effects) {
  if (parts_->leader) parts_->leader->OnIsrResult(proposed_at, error, now, effects);
}

void PartitionCore::OnDeleteRecords(ReplyToken token, Offset before, Duration timeout, Now now,
                                    PartitionEffects& effects) {
  if (!parts_->leader) {
    effects.delete_replies.push_back({.token = token, .error = ErrorCode::kNotLeaderOrFollower});
    return;
  }
  parts_->leader->OnDeleteRecords(token, before, timeout, now, effects);
}

void PartitionCore::OnRetention(Offset new_log_start, Now /*now*/, PartitionEffects& effects) {
  if (parts_->leader) parts_->leader->OnRetention(new_log_start, effects);
}

// ---- follower -------------------------------------------------------------------------------

void PartitionCore::OnReplicaPush(const ReplicaPush& push, Now now, PartitionEffects& effects) {
  if (parts_->follower) parts_->follower->OnReplicaPush(push, now, effects);
}

void PartitionCore::OnReplicaStreamOpened(Now now, PartitionEffects& effects) {
  if (parts_->follower) parts_->follower->OnReplicaStreamOpened(now, effects);
}

void PartitionCore::OnTruncated(RecoveredLog recovered, Now now, PartitionEffects& effects) {
  Parts& parts = *parts_;
  parts.log.OnTruncated(std::move(recovered), effects);
  if (parts.pending_resign) parts.LeaveRole(effects);
  parts.pending_resign = false;
  if (parts.pending_assignment) {
    const PartitionAssignment assignment = std::move(*parts.pending_assignment);
    parts.pending_assignment.reset();
    const LeaderEpoch before = parts.log.leader_epoch();
    parts.Apply(assignment, now, effects);
    if (parts.log.leader_epoch() != before) return;
  }
  if (parts.follower) parts.follower->OnTruncated(now, effects);
}

bool PartitionCore::OnProducersRecovered(const RecoveredLog& recovered) {
  return parts_->log.RestoreProducers(recovered);
}

// ---- both -----------------------------------------------------------------------------------

void PartitionCore::OnLogDurable(Offset durable_end, Now now, PartitionEffects& effects) {
  if (!parts_->log.OnDurable(durable_end)) return;
  if (parts_->leader) parts_->leader->OnLogDurable(effects);
  if (parts_->follower) parts_->follower->OnLogDurable(now, effects);
}

void PartitionCore::Parts::ExpireProducers(Now now) {
  if (now.mono < next_expiry) return;
  const Duration interval = std::clamp<Duration>(options.limits.producer_id_expiration / 10,
                                                 std::chrono::seconds(1), std::chrono::minutes(10));
  next_expiry = now.mono + interval;
  log.ExpireProducers(now.mono);
}

void PartitionCore::OnTime(Now now, PartitionEffects& effects) {
  if (parts_->leader) parts_->leader->OnTime(now, effects);
  if (parts_->follower) parts_->follower->OnTime(now, effects);
  parts_->ExpireProducers(now);
}

std::optional<Instant> PartitionCore::NextDeadline() const {
  std::optional<Instant> next;
  if (parts_->leader) next = parts_->leader->NextDeadline();
  if (parts_->follower) next = parts_->follower->NextDeadline();
  if (!parts_->log.producers().empty() && (!next || parts_->next_expiry < *next)) {
    next = parts_->next_expiry;
  }
  return next;
}

// ---- reads ----------------------------------------------------------------------------------

ErrorCode PartitionCore::CheckLeader(LeaderEpoch current_epoch) const {
  if (current_epoch != kNoLeaderEpoch) {
    if (current_epoch < leader_epoch()) return ErrorCode::kFencedLeaderEpoch;
    if (current_epoch > leader_epoch()) return ErrorCode::kUnknownLeaderEpoch;
  }
  return parts_->leader ? ErrorCode::kNone : ErrorCode::kNotLeaderOrFollower;
}

PartitionCore::ReadPlan PartitionCore::PlanRead(const ReadInput& input) const {
  ReadPlan plan{.error = CheckLeader(input.leader_epoch)};
  if (plan.error != ErrorCode::kNone) return plan;
  const LogOffsets& offsets = parts_->log.offsets();
  if (input.last_fetched_epoch > leader_epoch() && !IsPlanted(PlantedBug::kStaleMetadataReader)) {
    // The reader has read from a later leader: this one was deposed and has not heard of it, so
    // what its log lacks proves nothing.
    plan.error = ErrorCode::kUnknownLeaderEpoch;
    return plan;
  }
  plan.high_watermark = offsets.high_watermark();
  plan.log_start_offset = offsets.log_start();
  plan.read_end = offsets.high_watermark();
  if (input.last_fetched_epoch != kNoLeaderEpoch && input.fetch_offset >= offsets.log_start()) {
    // The reader may hold records that were cut off since (KIP-320).
    const auto end = parts_->log.epochs().EndOffsetFor(input.last_fetched_epoch, offsets.log_end());
    if (end && (end->epoch < input.last_fetched_epoch || end->end_offset < input.fetch_offset)) {
      plan.diverging_epoch = end->epoch;
      plan.diverging_end_offset = end->end_offset;
      return plan;
    }
  }
  if (input.fetch_offset < offsets.log_start() || input.fetch_offset > offsets.log_end()) {
    plan.error = ErrorCode::kOffsetOutOfRange;
  }
  return plan;
}

bool PartitionCore::high_watermark_known() const {
  return parts_->leader && (high_watermark() >= parts_->leader->epoch_start() ||
                            IsPlanted(PlantedBug::kStaleHighWatermarkKnown));
}

PartitionCore::OffsetAnswer PartitionCore::LatestOffset(LeaderEpoch current_epoch) const {
  OffsetAnswer answer{.error = CheckLeader(current_epoch)};
  if (answer.error != ErrorCode::kNone) return answer;
  if (!high_watermark_known()) {
    answer.error = ErrorCode::kOffsetNotAvailable;
    return answer;
  }
  answer.offset = high_watermark();
  answer.epoch = leader_epoch();
  return answer;
}

PartitionCore::OffsetAnswer PartitionCore::EarliestOffset(LeaderEpoch current_epoch) const {
  OffsetAnswer answer{.error = CheckLeader(current_epoch)};
  if (answer.error != ErrorCode::kNone) return answer;
  answer.offset = log_start_offset();
  answer.epoch = parts_->log.epochs().EpochBefore(log_start_offset() + 1);
  return answer;
}

PartitionCore::OffsetAnswer PartitionCore::EndOffsetForEpoch(LeaderEpoch current_epoch,
                                                             LeaderEpoch epoch) const {
  OffsetAnswer answer{.error = CheckLeader(current_epoch)};
  if (answer.error != ErrorCode::kNone) return answer;
  const auto end = parts_->log.epochs().EndOffsetFor(epoch, log_end_offset());
  if (!end) return answer;
  answer.offset = end->end_offset;
  answer.epoch = end->epoch;
  return answer;
}

// ---- replica sender -------------------------------------------------------------------------

PartitionCore::SendPlan PartitionCore::PlanSend(BrokerId follower) const {
  if (parts_->leader) return parts_->leader->PlanSend(follower);
  return {.from = log_end_offset(),
          .end = log_end_offset(),
          .leader_epoch = leader_epoch(),
          .high_watermark = high_watermark(),
          .log_start_offset = log_start_offset()};
}

void PartitionCore::OnSent(BrokerId follower, Offset sent_end) {
  OnSent(follower, sent_end, high_watermark(), log_start_offset());
}

void PartitionCore::OnSent(BrokerId follower, Offset sent_end, Offset told_high_watermark,
                           Offset told_log_start) {
  if (!parts_->leader) return;
  parts_->leader->OnSent(follower, sent_end, told_high_watermark, told_log_start);
}

// ---- state ----------------------------------------------------------------------------------

PartitionRole PartitionCore::role() const {
  if (parts_->leader) return PartitionRole::kLeader;
  return parts_->follower ? PartitionRole::kFollower : PartitionRole::kNone;
}
const PartitionIdentity& PartitionCore::identity() const { return parts_->options.identity; }
const PartitionConfig& PartitionCore::config() const { return parts_->config; }
BrokerId PartitionCore::leader() const { return parts_->leader_broker; }
LeaderEpoch PartitionCore::leader_epoch() const { return parts_->log.leader_epoch(); }
PartitionEpoch PartitionCore::partition_epoch() const { return parts_->log.partition_epoch(); }
Offset PartitionCore::log_start_offset() const { return parts_->log.offsets().log_start(); }
Offset PartitionCore::high_watermark() const { return parts_->log.offsets().high_watermark(); }
Offset PartitionCore::durable_end_offset() const { return parts_->log.offsets().durable_end(); }
Offset PartitionCore::log_end_offset() const { return parts_->log.offsets().log_end(); }
const std::vector<BrokerId>& PartitionCore::isr() const { return parts_->isr; }
std::vector<BrokerId> PartitionCore::maximal_isr() const {
  return parts_->leader ? parts_->leader->isr().maximal() : parts_->isr;
}
const std::vector<EpochEntry>& PartitionCore::epochs() const {
  return parts_->log.epochs().entries();
}
std::vector<ProducerEntry> PartitionCore::producers() const {
  return parts_->log.producers().Entries();
}
const ProducerTable& PartitionCore::producer_table() const { return parts_->log.producers(); }
bool PartitionCore::producers_known() const { return parts_->log.producers_known(); }
size_t PartitionCore::parked_acks() const {
  return parts_->leader ? parts_->leader->parked().acks() : 0;
}

std::vector<PartitionCore::FollowerLag> PartitionCore::follower_lags() const {
  return parts_->leader ? parts_->leader->follower_lags() : std::vector<FollowerLag>();
}

void PartitionCore::AddTo(Fingerprint& state) const {
  const Parts& parts = *parts_;
  // It forbids to lead in epochs up to it, and lower ones than the log's do not come any more.
  state.Add(parts.recovered_epoch >= parts.log.leader_epoch(), parts.log,
            parts.config.min_insync_replicas, parts.leader_broker, parts.isr, parts.leader,
            parts.follower, parts.pending_assignment, parts.pending_resign, parts.next_expiry);
}

void PartitionCore::CheckInvariants() const {
  parts_->log.CheckInvariants();
  QUIPU_CHECK(!parts_->leader || !parts_->follower);
  QUIPU_CHECK(!parts_->leader || !parts_->log.truncating());
  if (parts_->leader) parts_->leader->CheckInvariants();
}

}  // namespace quipu
