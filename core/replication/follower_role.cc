#include "core/replication/follower_role.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/replication/producer_codec.h"

namespace quipu {
namespace {

// Pause after an error of the leader; doubles up to the maximum. The first is short: a new leader
// often hears of its epoch only a moment after its followers.
constexpr Duration kSeekDelayMin = std::chrono::milliseconds(50);
constexpr Duration kSeekDelayMax = std::chrono::seconds(1);
// How long a position may stay unanswered before it is sent again.
constexpr Duration kPositionRepeatDelay = std::chrono::seconds(2);

}  // namespace

FollowerRole::FollowerRole(PartitionUid uid, BrokerId leader, ReplicaLog& log, Now now)
    : uid_(uid),
      leader_(leader),
      log_(&log),
      next_send_(now.mono + kPositionRepeatDelay),
      seek_delay_(kSeekDelayMin) {}

void FollowerRole::SendUpdate(bool restart, Now now, PartitionEffects& effects) {
  const LogOffsets& offsets = log_->offsets();
  const bool hides_epoch = IsPlanted(PlantedBug::kNoEpochCheckOnTruncation);
  effects.replica_updates.push_back(
      {.uid = uid_,
       .leader_epoch = log_->leader_epoch(),
       .fetch_offset = offsets.log_end(),
       .durable_end_offset = AcknowledgedEnd(),
       .log_start_offset = offsets.log_start(),
       .last_epoch = hides_epoch || offsets.empty() ? kNoLeaderEpoch
                                                    : log_->epochs().EpochBefore(offsets.log_end()),
       .restart = restart,
       .producers_unknown = restart ? !log_->producers_known() : log_->wants_producers()});
  told_end_ = AcknowledgedEnd();
  told_log_start_ = offsets.log_start();
  if (!restart) return;
  phase_ = Phase::kSeeking;
  next_send_ = now.mono + kPositionRepeatDelay;
}

Offset FollowerRole::AcknowledgedEnd() const {
  const LogOffsets& offsets = log_->offsets();
  return IsPlanted(PlantedBug::kDurableEndOverReported) ? offsets.log_end() : offsets.durable_end();
}

void FollowerRole::TellNews(Now now, PartitionEffects& effects) {
  const bool news =
      AcknowledgedEnd() != told_end_ || log_->offsets().log_start() != told_log_start_;
  // While seeking, the leader would not count it; the next restart says it.
  if (news && phase_ == Phase::kStreaming) SendUpdate(/*restart=*/false, now, effects);
}

void FollowerRole::SeekLater(Now now) {
  // Never later than it would have been: the leader may call again and again.
  const Instant later = now.mono + seek_delay_;
  next_send_ = phase_ == Phase::kSeeking ? std::min(next_send_, later) : later;
  phase_ = Phase::kSeeking;
  seek_delay_ = std::min(seek_delay_ * 2, kSeekDelayMax);
}

void FollowerRole::OnReplicaStreamOpened(Now now, PartitionEffects& effects) {
  if (log_->truncating()) return;
  SendUpdate(/*restart=*/true, now, effects);
}

void FollowerRole::OnTruncated(Now now, PartitionEffects& effects) {
  SendUpdate(/*restart=*/true, now, effects);
}

void FollowerRole::OnReplicaPush(const ReplicaPush& push, Now now, PartitionEffects& effects) {
  // Of another epoch, or aimed at a log end that is just being cut off.
  const bool fenced =
      !IsPlanted(PlantedBug::kTruncationNotFenced) || push.diverging_end_offset == kNoOffset;
  if ((fenced && push.leader_epoch != log_->leader_epoch()) || log_->truncating()) return;
  if (push.error != ErrorCode::kNone) {
    OnError(push, now, effects);
    return;
  }
  if (push.diverging_end_offset != kNoOffset) {
    OnDivergence(push, now, effects);
    return;
  }
  // Without a batch an offset says what the state of producers is as of.
  const bool told =
      !log_->producers_known() && push.batches.empty() && push.base_offset != kNoOffset;
  const bool taught = told && TakeProducers(push, effects);
  const Offset end_before = log_->offsets().log_end();
  const bool whole = AppendBatches(push, effects);
  const bool grew = log_->offsets().log_end() > end_before;
  matched_ = matched_ || whole || grew;
  if (!whole) {
    // While seeking, what was sent before the leader heard of it may still arrive: wait for the
    // rest.
    if (phase_ == Phase::kStreaming || grew) SendUpdate(/*restart=*/true, now, effects);
    return;
  }
  phase_ = Phase::kStreaming;
  seek_delay_ = kSeekDelayMin;
  leader_high_watermark_ = std::max(leader_high_watermark_, push.high_watermark);
  leader_log_start_ = std::max(leader_log_start_, push.log_start_offset);
  FollowMarks(effects);
  if (taught) {
    SendUpdate(/*restart=*/false, now, effects);
  } else {
    TellNews(now, effects);
  }
  if (told && !taught) SeekLater(now);
}

bool FollowerRole::TakeProducers(const ReplicaPush& push, PartitionEffects& effects) {
  // What came meanwhile is in no table: it is asked for again.
  if (push.base_offset != log_->offsets().log_end()) return false;
  const auto producers = DecodeProducers(push.producers.view());
  if (!producers) return false;
  log_->LearnProducers(*producers, push.producers_whole_at, effects);
  return true;
}

void FollowerRole::OnError(const ReplicaPush& push, Now now, PartitionEffects& effects) {
  // Nothing that is committed gets lost: what lies below the leader's log start is given up, and of
  // what lies above it nothing was acknowledged as long as there was no match.
  const LogOffsets& offsets = log_->offsets();
  const bool anew = push.error == ErrorCode::kOffsetOutOfRange &&
                    (push.log_start_offset >= offsets.log_end() ||
                     (!matched_ && push.log_start_offset >= offsets.high_watermark()));
  auto producers = DecodeProducers(push.producers.view());
  if (!anew || !producers) {
    SeekLater(now);
    return;
  }
  log_->RestartAt(push.log_start_offset, *producers, effects);
  phase_ = Phase::kSeeking;
}

void FollowerRole::OnDivergence(const ReplicaPush& push, Now now, PartitionEffects& effects) {
  if (matched_) return;
  const LogOffsets& offsets = log_->offsets();
  // leader:  [3 ....][4 ...................]     says: epoch 4 ends at 90
  // here:    [3 ....][4 ......][5 ..........]    epoch 4 ends at 70: cut to 70, and ask again
  const auto own = log_->epochs().EndOffsetFor(push.diverging_epoch, offsets.log_end());
  const Offset own_end = own ? own->end_offset : offsets.log_end();
  const Offset cut = std::min(push.diverging_end_offset, own_end);
  if (cut >= offsets.log_end()) {
    SeekLater(now);  // already cut: an answer to what was asked before that
    return;
  }
  phase_ = Phase::kSeeking;
  if (cut < offsets.log_start() && offsets.high_watermark() == offsets.log_start()) {
    // Only after an unclean recovery: the leader lacks what is deleted here already. This log
    // cannot go back below its start, so the replica stays out of the ISR.
    SeekLater(now);
    return;
  }
  log_->TruncateTo(cut, effects);
}

bool FollowerRole::MayAppend(const RecordBatchView& batch) const {
  return batch.leader_epoch() >= log_->epochs().EpochBefore(log_->offsets().log_end()) &&
         batch.leader_epoch() <= log_->leader_epoch() && batch.CrcMatches();
}

bool FollowerRole::AppendBatches(const ReplicaPush& push, PartitionEffects& effects) {
  for (const Bytes& bytes : push.batches) {
    size_t position = 0;
    while (position < bytes.size()) {
      const absl::StatusOr<RecordBatchView> batch =
          RecordBatchView::Parse(bytes.Slice(position, bytes.size() - position));
      if (!batch.ok()) return false;
      position += batch->size();
      const LogOffsets& offsets = log_->offsets();
      if (batch->end_offset() <= offsets.log_end()) continue;  // known
      // A log start may lie inside a batch: an empty log begins with the whole of it.
      const bool fits = batch->base_offset() == offsets.log_end() ||
                        (batch->base_offset() < offsets.log_end() && offsets.empty());
      if (!fits || !MayAppend(*batch)) return false;
      log_->Append(*batch, effects);
    }
  }
  return true;
}

void FollowerRole::FollowMarks(PartitionEffects& effects) {
  const LogOffsets& offsets = log_->offsets();
  log_->AdvanceHighWatermark(std::min(leader_high_watermark_, offsets.durable_end()), effects);
  log_->RaiseLogStart(leader_log_start_, effects);
}

void FollowerRole::OnLogDurable(Now now, PartitionEffects& effects) {
  if (log_->truncating()) return;
  if (matched_) FollowMarks(effects);
  TellNews(now, effects);
}

void FollowerRole::OnTime(Now now, PartitionEffects& effects) {
  if (log_->truncating() || phase_ != Phase::kSeeking || now.mono < next_send_) return;
  SendUpdate(/*restart=*/true, now, effects);
}

std::optional<Instant> FollowerRole::NextDeadline() const {
  // A follower that streams says what is new when it is new: idle partitions cost no time.
  if (log_->truncating() || phase_ != Phase::kSeeking) return std::nullopt;
  return next_send_;
}

}  // namespace quipu
