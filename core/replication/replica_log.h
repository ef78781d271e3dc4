// What one replica holds, and the mutations that change it.
#pragma once

#include <vector>

#include "base/ids.h"
#include "core/record/record_batch.h"
#include "core/replication/leader_epoch_cache.h"
#include "core/replication/log_offsets.h"
#include "core/replication/partition_types.h"
#include "core/replication/producer_table.h"

namespace quipu {

// The log of a replica as its roles see it: offsets, epochs and producers change together, in
// memory at once and in the store by the one mutation of the effects, so that they agree after any
// crash (I61). While a truncation is under way nothing else may be changed.
//
// Shard thread only. Knows nothing of leaders and followers.
class ReplicaLog {
 public:
  ReplicaLog(const PartitionLimits& limits, RecoveredLog recovered);

  // ---- changes; each adds to `effects.mutation` ----
  // Before SetEpochs, which makes it durable: what older leaders had committed may be cut off now.
  void ForgetHighWatermark() { offsets_.ForgetHighWatermark(); }
  // The epochs of a newer image.
  void SetEpochs(LeaderEpoch leader_epoch, PartitionEpoch partition_epoch,
                 PartitionEffects& effects);
  // This replica leads in the epoch of the state: the epoch begins at the log end, also when no
  // record follows (R04). Returns where it begins.
  Offset StartLeaderEpoch(PartitionEffects& effects);
  // One batch with offsets and epoch stamped, at the log end. Only an empty log takes a batch that
  // begins below its end (a log start may lie inside a batch).
  void Append(const RecordBatchView& stamped, PartitionEffects& effects);
  // True when the high watermark moved. Persisted with the next mutation (a lower bound is enough).
  bool AdvanceHighWatermark(Offset high_watermark, PartitionEffects& effects);
  // Lifts the log start to `log_start`, at most to the high watermark. True when it moved.
  bool RaiseLogStart(Offset log_start, PartitionEffects& effects);
  // Cuts the log; a cut below the high watermark breaks PR5 and aborts.
  void TruncateTo(Offset end, PartitionEffects& effects);
  // Drops everything and begins anew at `offset`, a leader's log start, with what it knows of
  // the producers below it.
  void RestartAt(Offset offset, const std::vector<ProducerEntry>& producers,
                 PartitionEffects& effects);
  // What a leader whose log this one is a prefix of knows of producers, as of the log end, instead
  // of what damage here hides. Of some it may know only what lies behind: together with the
  // batches up to `whole_at` this is all.
  void LearnProducers(const std::vector<ProducerEntry>& producers, Offset whole_at,
                      PartitionEffects& effects);
  // The truncation is durable. Batches are cut whole, so the log may end below what was asked for.
  void OnTruncated(RecoveredLog recovered, PartitionEffects& effects);

  // ---- changes without a mutation ----
  // True when the durable end moved.
  bool OnDurable(Offset durable_end) { return offsets_.AdvanceDurableEnd(durable_end); }
  void ExpireProducers(Instant now);
  void ForgetProducers() { producers_.Clear(); }
  // The log was recovered once more, for the state of its producers. False when that is not whole,
  // or not as of the end of this log.
  bool RestoreProducers(const RecoveredLog& recovered);

  // ---- reads ----
  [[nodiscard]] const LogOffsets& offsets() const { return offsets_; }
  [[nodiscard]] const LeaderEpochCache& epochs() const { return epochs_; }
  [[nodiscard]] const ProducerTable& producers() const { return producers_; }
  [[nodiscard]] LeaderEpoch leader_epoch() const { return leader_epoch_; }
  [[nodiscard]] PartitionEpoch partition_epoch() const { return partition_epoch_; }
  [[nodiscard]] bool truncating() const { return truncating_; }
  // False: a batch that would tell what producers have sent is damaged and was given up, so that
  // nothing can be said of the next sequence number of anybody (PR6, P03). Until it is repaired,
  // the leader says what it knows, or the batch is trimmed; then who sent nothing behind the log
  // start counts as unknown (P08).
  [[nodiscard]] bool producers_known() const {
    return !wants_producers() && offsets_.log_end() >= whole_at_;
  }
  // There is such a batch still, and nobody has said what it would tell.
  [[nodiscard]] bool wants_producers() const { return offsets_.log_start() < unknown_below_; }
  [[nodiscard]] const PartitionLimits& limits() const { return limits_; }

  void CheckInvariants() const;
  void AddTo(Fingerprint& state) const {
    state.Add(leader_epoch_, partition_epoch_, offsets_, epochs_, producers_, truncating_,
              unknown_from_, unknown_below_, whole_at_, snapshot_as_of_, bytes_since_snapshot_);
  }

 private:
  void PutState(PartitionEffects& effects) const;
  void PutEpochs(PartitionEffects& effects) const;
  // A snapshot in the mutation. A truncation must never leave the store without a usable one: there
  // is always one at or below the high watermark and at or above the log start.
  void PutProducers(Offset as_of, PartitionEffects& effects);
  // A snapshot as of the log end may be put now, and would be true.
  [[nodiscard]] bool MayPutProducers(const PartitionEffects& effects) const;
  void BeginTruncation(Offset truncate_to, PartitionEffects& effects);

  PartitionLimits limits_;
  LeaderEpoch leader_epoch_;
  PartitionEpoch partition_epoch_;
  LogOffsets offsets_;
  LeaderEpochCache epochs_;
  ProducerTable producers_;
  bool truncating_ = false;
  Offset unknown_from_{0};             // first offset of the first damaged batch
  Offset unknown_below_{0};            // end of the last; 0: there is none
  Offset whole_at_{0};                 // see LearnProducers
  Offset snapshot_as_of_ = kNoOffset;  // of the newest producer snapshot; none known: kNoOffset
  int64_t bytes_since_snapshot_ = 0;
};

}  // namespace quipu
