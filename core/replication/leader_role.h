// What a replica does while it leads.
#pragma once

#include <optional>
#include <vector>

#include "base/time.h"
#include "core/replication/follower_progress.h"
#include "core/replication/isr_tracker.h"
#include "core/replication/parked_replies.h"
#include "core/replication/partition_core.h"
#include "core/replication/partition_types.h"
#include "core/replication/replica_log.h"

namespace quipu {

// One leader epoch of one partition: appends what producers send, sees how far the followers are,
// moves the high watermark and answers what has waited for it. Made anew for each leader epoch.
//
// Inputs as described at PartitionCore. Shard thread only.
// Keeps I20, I22, I23, I26-I28, I32, I40 and I41.
class LeaderRole {
 public:
  struct Options {
    BrokerId self;
    PartitionUid uid;
  };

  // Begins the epoch of `log`: its start goes into the epoch cache (R04). `log` must outlive this
  // object. `parked`: what still waits when this replica led the epoch before, too; its records
  // stay where they are.
  LeaderRole(Options options, ReplicaLog& log, const PartitionAssignment& assignment,
             ParkedReplies parked, Now now, PartitionEffects& effects);

  // A newer image with the same leader epoch.
  void OnImage(const PartitionAssignment& assignment, Now now, PartitionEffects& effects);
  void OnProduce(const ProduceInput& input, Now now, PartitionEffects& effects);
  void OnReplicaUpdate(BrokerId follower, BrokerEpoch broker_epoch, const ReplicaUpdate& update,
                       Now now, PartitionEffects& effects);
  void OnReplicaGone(BrokerId follower);
  void OnIsrResult(PartitionEpoch proposed_at, ErrorCode error, Now now, PartitionEffects& effects);
  void OnDeleteRecords(ReplyToken token, Offset before, Duration timeout, Now now,
                       PartitionEffects& effects);
  void OnRetention(Offset new_log_start, PartitionEffects& effects);
  void OnLogDurable(PartitionEffects& effects);
  void OnTime(Now now, PartitionEffects& effects);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  // The role ends; the caller goes on with them or abandons them.
  ParkedReplies TakeParked() { return std::move(parked_); }

  [[nodiscard]] PartitionCore::SendPlan PlanSend(BrokerId follower) const;
  void OnSent(BrokerId follower, Offset sent_end, Offset high_watermark, Offset log_start);

  // Of the followers whose position was found in this log.
  [[nodiscard]] std::vector<PartitionCore::FollowerLag> follower_lags() const;
  [[nodiscard]] Offset epoch_start() const { return epoch_start_; }
  [[nodiscard]] const IsrTracker& isr() const { return isr_; }
  [[nodiscard]] const ParkedReplies& parked() const { return parked_; }

  // The same role upon a copy of its log, which must outlive this object.
  void MoveTo(ReplicaLog& log) { log_ = &log; }

  void CheckInvariants() const;
  void AddTo(Fingerprint& state) const {
    state.Add(config_.min_insync_replicas, isr_, followers_, parked_, epoch_start_,
              next_isr_check_);
  }

 private:
  [[nodiscard]] size_t MinIsrEffective() const;
  // Appends a stamped batch. Who held the whole log is caught up as of now, however long nothing
  // was appended.
  void Append(const RecordBatchView& batch, Now now, PartitionEffects& effects);
  // Whether time alone may bring something about: not while every follower that lives is in the ISR
  // and holds the whole log, so that an idle partition has no deadline.
  [[nodiscard]] bool AwaitsFollowers() const;
  // Followers that live and are not served here are told so, that they ask again: whatever made
  // this leader forget them, they may not know it, and would wait for pushes that never come.
  void CallFollowers(PartitionEffects& effects) const;
  // The error that refuses `input` before its records are looked at; kNone: none.
  [[nodiscard]] ErrorCode CheckProduce(const ProduceInput& input) const;
  [[nodiscard]] BatchVerdict CheckBatch(const ProduceInput& input,
                                        const RecordBatchView& batch) const;
  // compression.type of the topic names another codec than the batch's. What a coordinator writes
  // stays as it is.
  [[nodiscard]] bool IsStoredInAnotherCodec(const ProduceInput& input,
                                            const RecordBatchView& batch) const;
  // Brings a checked batch into the topic's codec. kMessageTooLarge with a message: it is then
  // larger than max.message.bytes; other errors as RecompressBatch.
  ErrorCode Recompress(RecordBatchView& batch, std::string& message) const;
  // What is wrong, for whoever has to mend it; empty: the error code says it all. `batch` is
  // nullptr when the records were not looked at.
  [[nodiscard]] std::string RefusalText(ErrorCode error, const RecordBatchView* batch) const;
  void Park(const ProduceInput& input, ProduceReply reply, Now now, PartitionEffects& effects);

  // True when the follower's position was found in this log; otherwise it has been answered.
  bool Match(const FollowerProgress& follower, const ReplicaUpdate& update,
             PartitionEffects& effects) const;
  void AnswerError(BrokerId follower, LeaderEpoch asked_in, ErrorCode error,
                   PartitionEffects& effects) const;
  // Tells a follower to begin anew at the log start: it lacks more than this log still has, or what
  // it has cannot be compared any more.
  void SendToLogStart(BrokerId follower, PartitionEffects& effects) const;
  // The producer state as of `offset`, where the follower's log will end when it hears of it.
  void SendProducers(FollowerProgress& follower, Offset offset, PartitionEffects& effects) const;
  FollowerProgress* Find(BrokerId follower);
  [[nodiscard]] const FollowerProgress* Find(BrokerId follower) const;

  // Raises the high watermark to the smallest durable end among the maximal ISR, while the ISR has
  // the effective minimum of members; answers what waited for it.
  void MaybeAdvanceHighWatermark(PartitionEffects& effects);
  void MaybeExpandIsr(Now now, PartitionEffects& effects);
  void RaiseLogStart(Offset log_start, PartitionEffects& effects);
  void AnswerDeletes(PartitionEffects& effects);
  [[nodiscard]] IsrTracker::LogView LogNow() const;

  Options options_;
  ReplicaLog* log_;
  PartitionConfig config_;
  IsrTracker isr_;
  std::vector<FollowerProgress> followers_;  // the other replicas
  ParkedReplies parked_;
  Offset epoch_start_;
  Instant next_isr_check_;
};

}  // namespace quipu
