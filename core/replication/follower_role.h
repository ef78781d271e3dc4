// What a replica does while it follows.
#pragma once

#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "core/replication/partition_types.h"
#include "core/replication/replica_log.h"

namespace quipu {

// One leader epoch of one partition, seen from a follower: says where its log ends, cuts it where
// the leader's differs, appends what comes and acknowledges what is synced.
//
//   kSeeking  the leader was (or has to be) told the log end; no push of it has been taken since
//   kStreaming  pushes follow one another
//
// Once a push of an epoch was taken, this log is a prefix of that leader's and stays one, so a late
// word of divergence in the same epoch is ignored (R07).
//
// Inputs as described at PartitionCore. Shard thread only. Keeps PR1 (acknowledges its durable end
// only), PR5, I24 and I28.
class FollowerRole {
 public:
  // `log` must outlive this object.
  FollowerRole(PartitionUid uid, BrokerId leader, ReplicaLog& log, Now now);

  void OnReplicaPush(const ReplicaPush& push, Now now, PartitionEffects& effects);
  void OnReplicaStreamOpened(Now now, PartitionEffects& effects);
  // The cut that was asked for is done: says where the log ends now.
  void OnTruncated(Now now, PartitionEffects& effects);
  void OnLogDurable(Now now, PartitionEffects& effects);
  void OnTime(Now now, PartitionEffects& effects);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;
  void AddTo(Fingerprint& state) const {
    state.Add(leader_, phase_, matched_, leader_high_watermark_, leader_log_start_, told_end_,
              told_log_start_);
    if (phase_ == Phase::kSeeking) state.Add(next_send_);
  }

  [[nodiscard]] BrokerId leader() const { return leader_; }
  // The same role upon a copy of its log, which must outlive this object.
  void MoveTo(ReplicaLog& log) { log_ = &log; }

 private:
  enum class Phase { kSeeking, kStreaming };

  // Sends the position; `restart`: and asks to be sent from there.
  void SendUpdate(bool restart, Now now, PartitionEffects& effects);
  // The leader is asked again after a pause that grows.
  void SeekLater(Now now);
  void OnError(const ReplicaPush& push, Now now, PartitionEffects& effects);
  void OnDivergence(const ReplicaPush& push, Now now, PartitionEffects& effects);
  // `push` tells the state of producers; false: not as of the end of this log.
  bool TakeProducers(const ReplicaPush& push, PartitionEffects& effects);
  // Appends the batches of `push` that are new. False when one is missing before them or one is
  // damaged; those before it are kept.
  bool AppendBatches(const ReplicaPush& push, PartitionEffects& effects);
  [[nodiscard]] bool MayAppend(const RecordBatchView& batch) const;
  // Takes over what the leader said of high watermark and log start, as far as this log is durable.
  void FollowMarks(PartitionEffects& effects);
  // Acknowledges what the leader does not know yet.
  void TellNews(Now now, PartitionEffects& effects);
  [[nodiscard]] Offset AcknowledgedEnd() const;

  PartitionUid uid_;
  BrokerId leader_;
  ReplicaLog* log_;
  Phase phase_ = Phase::kSeeking;
  bool matched_ = false;  // a push of this epoch was taken
  Instant next_send_;     // kSeeking: when to ask again
  Duration seek_delay_;
  Offset leader_high_watermark_ = kNoOffset;
  Offset leader_log_start_ = kNoOffset;
  Offset told_end_ = kNoOffset;
  Offset told_log_start_ = kNoOffset;
};

}  // namespace quipu
