#include "broker/group/coordinator_host.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/logging.h"
#include "base/planted_bug.h"
#include "core/record/record_batch_builder.h"
#include "storage/log_recovery.h"

namespace quipu {
namespace {

constexpr size_t kLoadBytes = size_t{4} << 20;  // read at a time
constexpr size_t kSnapshotBatchBytes = size_t{512} << 10;
constexpr Duration kCoordinatorTimerStepMin = std::chrono::milliseconds(1);
constexpr Duration kDamagedRetry = std::chrono::seconds(1);  // while its log is being repaired
constexpr Duration kParkedCheck = std::chrono::seconds(1);

GroupCoordinatorOptions OptionsOf(const BrokerConfig& config, LeaderEpoch epoch) {
  GroupCoordinatorOptions options;
  options.incarnation = epoch.value();
  options.broker_id = config.broker_id;
  options.session_timeout_ms_default = static_cast<int32_t>(ToMillis(config.group_session_timeout));
  options.heartbeat_interval_ms = static_cast<int32_t>(ToMillis(config.group_heartbeat_interval));
  options.classic_session_timeout_ms_min =
      static_cast<int32_t>(ToMillis(config.classic_session_timeout_min));
  options.classic_session_timeout_ms_max =
      static_cast<int32_t>(ToMillis(config.classic_session_timeout_max));
  options.classic_initial_rebalance_delay_ms =
      static_cast<int32_t>(ToMillis(config.group_initial_rebalance_delay));
  options.classic_members_per_group_max = static_cast<size_t>(config.classic_group_size_max);
  options.groups_max = static_cast<size_t>(config.groups_max);
  options.bytes_max = config.groups_bytes_max;
  options.offsets_retention_ms = ToMillis(config.offsets_retention);
  options.offsets_retention_check_ms = ToMillis(config.offsets_retention_check_interval);
  options.members_per_group_max = static_cast<size_t>(config.group_size_max);
  options.migration_policy = config.group_migration_policy;
  options.offset_metadata_bytes_max = static_cast<size_t>(config.offset_metadata_bytes_max);
  return options;
}

// What a refused append means to a client of the coordinator.
ErrorCode AppendError(ErrorCode error) {
  const bool lost = error == ErrorCode::kNotLeaderOrFollower ||
                    error == ErrorCode::kFencedLeaderEpoch ||
                    error == ErrorCode::kUnknownLeaderEpoch;
  if (lost) return ErrorCode::kNotCoordinator;
  if (error == ErrorCode::kMessageTooLarge) return ErrorCode::kInvalidRequest;
  return ErrorCode::kCoordinatorNotAvailable;
}

}  // namespace

CoordinatorHost::CoordinatorHost(ShardContext& context, PartitionUid uid, LeaderEpoch epoch)
    : context_(context), uid_(uid), epoch_(epoch), core_(OptionsOf(*context.config, epoch)) {}

PartitionHost* CoordinatorHost::Host() const {
  PartitionHost* host = context_.Find(uid_);
  const bool led = host != nullptr && host->core.role() == PartitionRole::kLeader &&
                   host->core.leader_epoch() == epoch_;
  return led ? host : nullptr;
}

ErrorCode CoordinatorHost::CheckServing() const {
  if (phase_ == Phase::kEnded || Host() == nullptr) return ErrorCode::kNotCoordinator;
  if (phase_ == Phase::kDamaged) return ErrorCode::kCoordinatorNotAvailable;
  if (phase_ != Phase::kServing) return ErrorCode::kCoordinatorLoadInProgress;
  if (parked_.size() >= context_.config->partition.parked_acks_max) {
    return ErrorCode::kLimitReached;
  }
  return ErrorCode::kNone;
}

void CoordinatorHost::OnProgress() {
  PartitionHost* host = Host();
  if (host == nullptr || phase_ == Phase::kEnded) return;
  if (phase_ == Phase::kWaiting && host->core.high_watermark_known()) {
    // Everything that earlier leaders wrote is committed here, and nobody else writes.
    phase_ = Phase::kLoading;
    load_end_ = host->core.high_watermark();
    Load(host->core.log_start_offset());
    return;
  }
  AnswerCommitted();
  FinishSnapshot();
}

// ---- loading ---------------------------------------------------------------------------------

void CoordinatorHost::Load(Offset from) {
  PartitionHost* host = Host();
  if (host == nullptr) return;
  if (from >= load_end_) {
    BeginServing();
    return;
  }
  context_.ReadCold(
      [log_id = host->log_id, from, end = load_end_](LogStore& store) {
        return store.Read(log_id, from, end, kLoadBytes);
      },
      [self = shared_from_this(), from](const absl::StatusOr<std::vector<StoredBatch>>& batches) {
        self->OnLoaded(from, batches);
      });
}

absl::Status CoordinatorHost::ReplayBatch(const StoredBatch& batch) {
  auto view = RecordBatchView::Parse(batch.bytes);
  if (!view.ok()) return view.status();
  if (view->is_control()) return absl::OkStatus();
  auto decoded = DecodedBatch::Decode(*view);
  if (!decoded.ok()) return decoded.status();
  for (const RecordView& stored : decoded->records()) {
    record::GroupRecord record;
    const bool whole =
        stored.value &&
        record.ParseFromArray(stored.value->data(), static_cast<int>(stored.value->size()));
    if (!whole) return ToStatus(ErrorCode::kCorruptMessage, "a record is no group record");
    core_.Replay(record);
  }
  bytes_since_snapshot_ += batch.bytes.size();
  return absl::OkStatus();
}

void CoordinatorHost::OnLoaded(Offset from,
                               const absl::StatusOr<std::vector<StoredBatch>>& batches) {
  if (phase_ != Phase::kLoading || Host() == nullptr) return;
  absl::Status status = batches.status();
  Offset next = load_end_;
  if (status.ok()) {
    for (const StoredBatch& batch : *batches) {
      if (status.ok()) status = ReplayBatch(batch);
      next = batch.last_offset + 1;
    }
    if (batches->empty()) next = load_end_;
  }
  if (!status.ok()) {
    // Serving from a part of the log would lose offsets silently.
    if (DamagedPlaceOf(batches.status())) {
      context_.OnDamage(uid_, batches.status());
      context_.PostAfter(kDamagedRetry, [weak = weak_from_this(), from] {
        const auto self = weak.lock();
        if (self != nullptr && self->phase_ == Phase::kLoading) self->Load(from);
      });
      return;
    }
    phase_ = Phase::kDamaged;
    LogError("group.load_failed", {{"partition_uid", uid_.ToString()},
                                   {"offset", from.ToString()},
                                   {"error", std::string(status.message())}});
    return;
  }
  Load(next);
}

void CoordinatorHost::BeginServing() {
  phase_ = Phase::kServing;
  core_.OnLoaded(context_.GetNow().mono);
  LogInfo("group.coordinator_ready", {{"partition_uid", uid_.ToString()},
                                      {"leader_epoch", epoch_.ToString()},
                                      {"groups", std::to_string(core_.groups().size())}});
  OnTopics();
  ArmTimer();
}

// ---- serving ---------------------------------------------------------------------------------

void CoordinatorHost::OnTopics() {
  if (phase_ != Phase::kServing || Host() == nullptr) return;
  const ErrorCode error = Write(core_.OnTopicsChanged(MetadataGroupTopicView(*context_.image)));
  ArmTimer();
  if (error == ErrorCode::kNone || topics_retry_) return;
  // Nothing can be written for now. It is made up for later: what has to be written follows from
  // the state alone.
  topics_retry_ = true;
  context_.PostAfter(kParkedCheck, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->topics_retry_ = false;
    self->OnTopics();
  });
}

ErrorCode CoordinatorHost::AppendBatch(const GroupRecords& records, size_t first, size_t last) {
  PartitionHost* host = Host();
  if (host == nullptr) return ErrorCode::kNotCoordinator;
  const Now now = context_.GetNow();
  RecordBatchBuilder builder(RecordBatchOptions{});
  for (size_t i = first; i < last; ++i) {
    const std::string value = records[i].SerializeAsString();
    builder.Add({.timestamp = now.wall, .key = std::nullopt, .value = value, .headers = {}});
  }
  ProduceInput input;
  input.timeout = context_.config->request_timeout;
  input.records = builder.Build();
  input.from_coordinator = true;
  const size_t bytes = input.records.size();
  PartitionEffects effects;
  host->core.OnProduce(input, now, effects);
  // Token 0 is nobody's: the wait for the commit is kept here, by offset. Only a refusal counts.
  ErrorCode error = ErrorCode::kNone;
  std::erase_if(effects.replies, [&error](const ProduceReply& reply) {
    if (reply.token == 0 && reply.error != ErrorCode::kNone) error = reply.error;
    return reply.token == 0;
  });
  context_.Absorb(*host, effects);
  if (error != ErrorCode::kNone) return AppendError(error);
  bytes_since_snapshot_ += bytes;
  return ErrorCode::kNone;
}

ErrorCode CoordinatorHost::Write(const GroupRecords& records) {
  if (records.empty()) return ErrorCode::kNone;
  if (const ErrorCode error = AppendBatch(records, 0, records.size()); error != ErrorCode::kNone) {
    return error;
  }
  for (const record::GroupRecord& record : records) core_.Replay(record);
  MaybeSnapshot();
  return ErrorCode::kNone;
}

void CoordinatorHost::Park(std::function<void(ErrorCode)> done) {
  const PartitionHost* host = Host();
  if (host == nullptr) {
    done(ErrorCode::kNotCoordinator);
    return;
  }
  if (IsPlanted(PlantedBug::kGroupAnswerBeforeCommit) ||
      (parked_.empty() && host->core.high_watermark() >= host->core.log_end_offset())) {
    done(ErrorCode::kNone);
    return;
  }
  const bool first = parked_.empty();
  parked_.push_back({.end = host->core.log_end_offset(),
                     .deadline = context_.GetNow().mono + context_.config->request_timeout,
                     .done = std::move(done)});
  if (first) ArmTimer();
}

void CoordinatorHost::AnswerCommitted() {
  const PartitionHost* host = Host();
  while (!parked_.empty() && host != nullptr &&
         parked_.front().end <= host->core.high_watermark()) {
    const auto done = std::move(parked_.front().done);
    parked_.pop_front();
    done(ErrorCode::kNone);
  }
}

void CoordinatorHost::AnswerClassic(std::vector<ClassicReply> replies) {
  for (ClassicReply& reply : replies) {
    const auto it = waiting_.find(reply.token);
    if (it == waiting_.end()) {
      QUIPU_CHECK(phase_ == Phase::kEnded);  // Abandon has answered it
      continue;
    }
    auto answer = std::make_shared<ClassicAnswer>(std::move(reply.answer));
    const Waiting waiting = std::move(it->second);
    waiting_.erase(it);
    Park([answer, waiting](ErrorCode error) {
      if (error == ErrorCode::kRequestTimedOut) error = ErrorCode::kCoordinatorNotAvailable;
      waiting(error, error == ErrorCode::kNone ? answer.get() : nullptr);
    });
  }
}

void CoordinatorHost::Abandon() {
  phase_ = Phase::kEnded;
  for (Parked& parked : std::exchange(parked_, {})) parked.done(ErrorCode::kNotCoordinator);
  for (const auto& [token, waiting] : std::exchange(waiting_, {})) {
    waiting(ErrorCode::kNotCoordinator, nullptr);
  }
}

// ---- snapshots -------------------------------------------------------------------------------

void CoordinatorHost::MaybeSnapshot() {
  const size_t bound = std::max(kSnapshotBytesMin, kSnapshotGrowth * snapshot_bytes_);
  if (snapshot_ || bytes_since_snapshot_ < bound) return;
  const PartitionHost* host = Host();
  if (host == nullptr) return;
  PendingSnapshot pending{.begin = host->core.log_end_offset(), .end = kNoOffset};
  const GroupRecords records =
      core_.Snapshot(static_cast<uint64_t>(host->core.log_end_offset().value()));
  const size_t before = bytes_since_snapshot_;
  size_t first = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    bytes += records[i].ByteSizeLong();
    if (bytes < kSnapshotBatchBytes && i + 1 < records.size()) continue;
    if (AppendBatch(records, first, i + 1) != ErrorCode::kNone) {
      bytes_since_snapshot_ = before;  // incomplete, so without a meaning: tried again later
      return;
    }
    first = i + 1;
    bytes = 0;
  }
  pending.end = host->core.log_end_offset();
  snapshot_ = pending;
  snapshot_bytes_ = bytes_since_snapshot_ - before;
  bytes_since_snapshot_ = 0;
}

void CoordinatorHost::FinishSnapshot() {
  PartitionHost* host = Host();
  if (!snapshot_ || host == nullptr || host->core.high_watermark() < snapshot_->end) return;
  PartitionEffects effects;
  host->core.OnRetention(snapshot_->begin, context_.GetNow(), effects);
  snapshot_.reset();
  context_.Absorb(*host, effects);
}

// ---- time ------------------------------------------------------------------------------------

void CoordinatorHost::ArmTimer() {
  if (phase_ != Phase::kServing) return;
  std::optional<Instant> next = core_.NextDeadline();
  const Instant now = context_.GetNow().mono;
  if (!parked_.empty() && (!next || now + kParkedCheck < *next)) next = now + kParkedCheck;
  if (!next || (armed_at_ && *armed_at_ <= *next)) return;
  armed_at_ = next;
  context_.PostAfter(std::max(kCoordinatorTimerStepMin, *next - now),
                     [weak = weak_from_this(), at = *next] {
                       const auto self = weak.lock();
                       if (self != nullptr && self->armed_at_ == at) self->OnTimer();
                     });
}

ErrorCode CoordinatorHost::ExpireOffsets(Now now) {
  const ExpiredOffsets expired = core_.ExpireOffsets(now, MetadataGroupTopicView(*context_.image));
  if (expired.records.empty()) return ErrorCode::kNone;
  if (const ErrorCode error = Write(expired.records); error != ErrorCode::kNone) return error;
  context_.counters.expired_offsets += expired.offsets;
  context_.counters.expired_groups += expired.groups;
  return ErrorCode::kNone;
}

void CoordinatorHost::OnTimer() {
  armed_at_.reset();
  if (phase_ != Phase::kServing || Host() == nullptr) return;
  const Now now = context_.GetNow();
  // Ends are parked in order, and so are deadlines.
  while (!parked_.empty() && parked_.front().deadline <= now.mono) {
    const auto done = std::move(parked_.front().done);
    parked_.pop_front();
    done(ErrorCode::kRequestTimedOut);
  }
  ErrorCode error = Write(core_.OnTime(now, MetadataGroupTopicView(*context_.image)));
  AnswerClassic(core_.FinishClassic(error, context_.GetNow()));
  if (error == ErrorCode::kNone) error = ExpireOffsets(now);
  if (error == ErrorCode::kNone) {
    ArmTimer();
    return;
  }
  // Nothing can be written for now; the members' time is up later.
  armed_at_ = now.mono + kParkedCheck;
  context_.PostAfter(kParkedCheck, [weak = weak_from_this(), at = *armed_at_] {
    const auto self = weak.lock();
    if (self != nullptr && self->armed_at_ == at) self->OnTimer();
  });
}

}  // namespace quipu
