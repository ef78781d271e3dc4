#include "core/replication/replica_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {
namespace {

Offset UnknownFrom(const RecoveredLog& recovered) {
  return recovered.damaged.empty() ? Offset{0} : recovered.damaged.front().first_offset;
}

Offset UnknownBelow(const RecoveredLog& recovered) {
  if (recovered.damaged.empty()) return Offset{0};
  const bool all_named = recovered.damaged.size() < kDamagedBatchesNamed;
  return all_named ? recovered.damaged.back().last_offset + 1 : recovered.log_end_offset;
}

}  // namespace

ReplicaLog::ReplicaLog(const PartitionLimits& limits, RecoveredLog recovered)
    : limits_(limits),
      leader_epoch_(recovered.state.leader_epoch),
      partition_epoch_(recovered.state.partition_epoch),
      offsets_(recovered.state.log_start_offset, recovered.state.high_watermark,
               recovered.log_end_offset),
      epochs_(std::move(recovered.epochs)),
      producers_(limits.producers_max),
      unknown_from_(UnknownFrom(recovered)),
      unknown_below_(UnknownBelow(recovered)) {
  producers_.Restore(recovered.producers);
}

void ReplicaLog::SetEpochs(LeaderEpoch leader_epoch, PartitionEpoch partition_epoch,
                           PartitionEffects& effects) {
  QUIPU_CHECK(!truncating_);
  QUIPU_INVARIANT("I30", leader_epoch >= leader_epoch_);
  QUIPU_CHECK(partition_epoch >= partition_epoch_);
  if (leader_epoch == leader_epoch_ && partition_epoch == partition_epoch_) return;
  if (leader_epoch > leader_epoch_ && offsets_.log_end() < whole_at_) {
    // The batches that were to make it whole were another leader's, and may never come.
    unknown_from_ = offsets_.log_start();
    unknown_below_ = offsets_.log_end();
    whole_at_ = Offset{0};
  }
  leader_epoch_ = leader_epoch;
  partition_epoch_ = partition_epoch;
  PutState(effects);
}

Offset ReplicaLog::StartLeaderEpoch(PartitionEffects& effects) {
  QUIPU_CHECK(!truncating_);
  if (IsPlanted(PlantedBug::kEpochNotNotedOnElection)) return offsets_.log_end();
  if (epochs_.AppendEpoch(leader_epoch_, offsets_.log_end())) {
    PutEpochs(effects);
    PutState(effects);
  }
  return epochs_.entries().back().start_offset;
}

void ReplicaLog::Append(const RecordBatchView& stamped, PartitionEffects& effects) {
  QUIPU_CHECK(!truncating_);
  QUIPU_CHECK(stamped.base_offset() == offsets_.log_end() ||
              (offsets_.empty() && stamped.base_offset() < offsets_.log_end()));
  const Offset first_kept = std::max(stamped.base_offset(), offsets_.log_end());
  if (epochs_.AppendEpoch(stamped.leader_epoch(), first_kept)) PutEpochs(effects);
  producers_.Replay(stamped);
  effects.mutation.appends.push_back({.base_offset = stamped.base_offset(),
                                      .last_offset = stamped.last_offset(),
                                      .max_timestamp = stamped.max_timestamp(),
                                      .bytes = stamped.bytes()});
  offsets_.Append(stamped.end_offset());
  PutState(effects);
  bytes_since_snapshot_ += static_cast<int64_t>(stamped.size());
  if (bytes_since_snapshot_ >= limits_.producer_snapshot_bytes && MayPutProducers(effects)) {
    PutProducers(offsets_.log_end(), effects);
  }
}

bool ReplicaLog::MayPutProducers(const PartitionEffects& effects) const {
  // A new one only once the one before is below the high watermark, and never in place of one that
  // a log start needs.
  return producers_known() && snapshot_as_of_ <= offsets_.high_watermark() &&
         !effects.mutation.producers;
}

bool ReplicaLog::AdvanceHighWatermark(Offset high_watermark, PartitionEffects& effects) {
  if (!offsets_.AdvanceHighWatermark(high_watermark)) return false;
  effects.high_watermark_moved = true;
  return true;
}

bool ReplicaLog::RaiseLogStart(Offset log_start, PartitionEffects& effects) {
  QUIPU_CHECK(!truncating_);
  const bool wanted_producers = wants_producers();
  if (!offsets_.RaiseLogStart(std::min(log_start, offsets_.high_watermark()))) return false;
  // A damaged batch that is gone may have held what a producer sent last: of who is not heard of
  // behind the log start, nothing is known any more.
  if (wanted_producers && offsets_.log_start() > unknown_from_) {
    producers_.ForgetBelow(offsets_.log_start());
  }
  if (epochs_.TrimTo(offsets_.log_start())) PutEpochs(effects);
  PutState(effects);
  // Recovery can no longer read what lies below, so the producers of it must be in a snapshot that
  // no truncation takes away (P03).
  if (snapshot_as_of_ < offsets_.log_start() || snapshot_as_of_ > offsets_.high_watermark()) {
    PutProducers(offsets_.log_start(), effects);
  }
  effects.log_start_moved = true;
  return true;
}

void ReplicaLog::TruncateTo(Offset end, PartitionEffects& effects) {
  offsets_.TruncateTo(end);
  epochs_.TruncateTo(end);
  BeginTruncation(end, effects);
}

void ReplicaLog::RestartAt(Offset offset, const std::vector<ProducerEntry>& producers,
                           PartitionEffects& effects) {
  const Offset everything = offsets_.log_start();
  offsets_.RestartAt(offset);
  epochs_.Clear();
  BeginTruncation(everything, effects);
  producers_.Restore(producers);
  PutProducers(offset, effects);
  effects.log_start_moved = true;
}

void ReplicaLog::LearnProducers(const std::vector<ProducerEntry>& producers, Offset whole_at,
                                PartitionEffects& effects) {
  QUIPU_CHECK(!truncating_);
  producers_.Restore(producers);
  unknown_below_ = Offset{0};
  whole_at_ = whole_at;
  // As soon as it is whole: a start would find the damage again.
  bytes_since_snapshot_ = limits_.producer_snapshot_bytes;
  if (MayPutProducers(effects)) PutProducers(offsets_.log_end(), effects);
}

void ReplicaLog::BeginTruncation(Offset truncate_to, PartitionEffects& effects) {
  QUIPU_CHECK(!truncating_);
  truncating_ = true;
  LogMutation& mutation = effects.mutation;
  // Batches of the same turn are appended after the cut, so those beyond it must go from here too.
  std::erase_if(mutation.appends,
                [&](const StoredBatch& batch) { return batch.last_offset >= truncate_to; });
  if (mutation.producers && mutation.producers->as_of > truncate_to) mutation.producers.reset();
  mutation.truncate_to =
      mutation.truncate_to ? std::min(*mutation.truncate_to, truncate_to) : truncate_to;
  effects.truncating = true;
  PutEpochs(effects);
  PutState(effects);
}

void ReplicaLog::OnTruncated(RecoveredLog recovered, PartitionEffects& effects) {
  QUIPU_CHECK(truncating_);
  truncating_ = false;
  QUIPU_CHECK(recovered.log_end_offset <= offsets_.log_end());
  offsets_.TruncateTo(recovered.log_end_offset);
  offsets_.AdvanceDurableEnd(recovered.log_end_offset);
  epochs_ = LeaderEpochCache(std::move(recovered.epochs));
  if (epochs_.TruncateTo(offsets_.log_end())) PutEpochs(effects);
  producers_.Restore(recovered.producers);
  unknown_from_ = UnknownFrom(recovered);
  unknown_below_ = UnknownBelow(recovered);
  whole_at_ = Offset{0};
  if (snapshot_as_of_ > offsets_.log_end()) snapshot_as_of_ = kNoOffset;
}

bool ReplicaLog::RestoreProducers(const RecoveredLog& recovered) {
  if (truncating_ || !recovered.damaged.empty()) return false;
  if (recovered.log_end_offset != offsets_.log_end()) return false;
  producers_.Restore(recovered.producers);
  unknown_below_ = whole_at_ = Offset{0};
  return true;
}

void ReplicaLog::ExpireProducers(Instant now) {
  producers_.Expire(now, limits_.producer_id_expiration, offsets_.high_watermark());
}

void ReplicaLog::PutState(PartitionEffects& effects) const {
  effects.mutation.state = PartitionState{.leader_epoch = leader_epoch_,
                                          .partition_epoch = partition_epoch_,
                                          .log_start_offset = offsets_.log_start(),
                                          .high_watermark = offsets_.high_watermark()};
}

void ReplicaLog::PutEpochs(PartitionEffects& effects) const {
  effects.mutation.epochs = epochs_.entries();
}

void ReplicaLog::PutProducers(Offset as_of, PartitionEffects& effects) {
  // One of the same turn is replaced, so it is not there to be counted on.
  const bool replaces = effects.mutation.producers.has_value();
  effects.mutation.producers = producers_.Snapshot(as_of);
  snapshot_as_of_ = replaces ? as_of : std::max(snapshot_as_of_, as_of);
  if (as_of == offsets_.log_end()) bytes_since_snapshot_ = 0;
}

void ReplicaLog::CheckInvariants() const {
  offsets_.CheckInvariants();
  epochs_.CheckInvariants(offsets_.log_end());
  if (!truncating_) producers_.CheckInvariants(offsets_.log_end());
  QUIPU_INVARIANT("I30", epochs_.newest_epoch() <= leader_epoch_);
}

}  // namespace quipu
