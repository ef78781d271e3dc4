// One replica of one partition: the pure machine that decides what is appended, acknowledged,
// visible, truncated, and who is in sync.
//
// It owns LogOffsets, LeaderEpochCache, ProducerTable and, while it leads, LeaderRole with the
// IsrTracker; while it follows, FollowerRole. Inputs run to completion and append to an effects
// struct; nothing inside reads a clock, a file or a socket.
//
// Offsets, always (LogOffsets):
//   log_start_offset <= high_watermark <= durable_end_offset <= log_end_offset
//
// The rules that it keeps: PR1, PR2, PR3, PR4, PR5, PR6 (idempotence), PR8's ordering; invariants
// I20-I33, I40, I41. Shard thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/replication/partition_types.h"

namespace quipu {

class ProducerTable;

class PartitionCore {
 public:
  struct Options {
    BrokerId self;
    PartitionIdentity identity;
    PartitionLimits limits;
  };

  PartitionCore(Options options, RecoveredLog recovered);
  ~PartitionCore();
  PartitionCore(const PartitionCore&) = delete;
  PartitionCore& operator=(const PartitionCore&) = delete;
  // Another core in the same state, which shares nothing with this one. Copies everything: for
  // those who try what each of several inputs would do, not for the data path.
  [[nodiscard]] std::unique_ptr<PartitionCore> Clone() const;

  // ---- inputs: metadata ----
  // A newer metadata image. Older leader or partition epochs are ignored (R22, R05). A higher
  // leader epoch switches role: as leader the epoch and the log end go into the epoch cache at
  // once (R04) and every follower's position is unknown again (R06); parked acks of a lost
  // leadership are answered kLeadershipLostAfterAppend, while those of a leader that leads on stay
  // parked. A leader epoch that the recovered log already knew is never led in (R25). While the log
  // is being cut the newest assignment waits for OnTruncated.
  void OnAssignment(const PartitionAssignment& assignment, Now now, PartitionEffects& effects);
  // This broker stops leading and following (broker fenced or shutting down, replica removed).
  void Resign(Now now, PartitionEffects& effects);

  // ---- inputs: leader ----
  // Appends or refuses one batch. Answers at once with an error, or parks the ack until the high
  // watermark passes the batch. Errors: kNotLeaderOrFollower, kFencedLeaderEpoch,
  // kUnknownLeaderEpoch, kNotEnoughReplicas, kInvalidProducerEpoch, kOutOfOrderSequence,
  // kUnknownProducerId, kDuplicateSequence, kLimitReached and those of ValidateBatch. A
  // duplicate is answered with its first offset once that is committed (I41); kDuplicateSequence,
  // where it is no longer known, also. After `timeout`:
  // kRequestTimedOut, meaning unknown. Each token is answered exactly once; acks=0 at once, which
  // promises nothing.
  void OnProduce(const ProduceInput& input, Now now, PartitionEffects& effects);
  // A follower's position. `broker_epoch` is the one its stream opened with.
  // Fenced by leader and broker epoch (PR3); divergence is answered (KIP-595).
  void OnReplicaUpdate(BrokerId follower, BrokerEpoch broker_epoch, const ReplicaUpdate& update,
                       Now now, PartitionEffects& effects);
  // The stream of a follower ended: nothing more can be sent to it.
  void OnReplicaGone(BrokerId follower);
  // The controller's answer to the proposal of `partition_epoch`. `error` kNone or anything; an
  // unknown outcome (connection lost) is kRequestTimedOut: the maximal ISR stays.
  void OnIsrResult(PartitionEpoch proposed_at, ErrorCode error, Now now, PartitionEffects& effects);
  // Raises the log start to `before` (exclusive; kNoOffset: the high watermark). The answer waits
  // until every ISR member has raised it too.
  void OnDeleteRecords(ReplyToken token, Offset before, Duration timeout, Now now,
                       PartitionEffects& effects);
  // Retention, decided by the host from sizes and times: raises the log start to min(offset, high
  // watermark). Leader only; ignored otherwise.
  void OnRetention(Offset new_log_start, Now now, PartitionEffects& effects);

  // ---- inputs: follower ----
  // Batches, high watermark, divergence or an error from the leader.
  void OnReplicaPush(const ReplicaPush& push, Now now, PartitionEffects& effects);
  // The stream to the leader is open (again), or was open when this replica began to follow it:
  // says where to send from. Asks again by itself while no answer comes.
  void OnReplicaStreamOpened(Now now, PartitionEffects& effects);
  // The batches that hid the state of the producers were repaired, and the log was recovered for
  // it. False: it has grown meanwhile; again later.
  bool OnProducersRecovered(const RecoveredLog& recovered);
  // The truncation of effects.truncating is durable and the log was recovered anew.
  void OnTruncated(RecoveredLog recovered, Now now, PartitionEffects& effects);

  // ---- inputs: both ----
  // Everything appended below `durable_end` by earlier effects is synced. Completions come in the
  // order of the effects.
  void OnLogDurable(Offset durable_end, Now now, PartitionEffects& effects);
  void OnTime(Now now, PartitionEffects& effects);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  // ---- reads ----
  struct ReadPlan {
    ErrorCode error = ErrorCode::kNone;
    Offset read_end = kNoOffset;  // exclusive: nothing at or above it may be served
    Offset high_watermark = kNoOffset;
    Offset log_start_offset = kNoOffset;
    LeaderEpoch diverging_epoch = kNoLeaderEpoch;
    Offset diverging_end_offset = kNoOffset;
  };
  // What a consumer may read at fetch_offset. Leader only. kOffsetOutOfRange below the log start or
  // above the log end; between high watermark and log end an empty plan. kUnknownLeaderEpoch: the
  // reader knows a later leader.
  [[nodiscard]] ReadPlan PlanRead(const ReadInput& input) const;
  // Latest offset for ListOffsets: kOffsetNotAvailable until the high watermark has reached the
  // start of this leader epoch (R09).
  struct OffsetAnswer {
    ErrorCode error = ErrorCode::kNone;
    Offset offset = kNoOffset;
    LeaderEpoch epoch = kNoLeaderEpoch;
  };
  [[nodiscard]] OffsetAnswer LatestOffset(LeaderEpoch current_epoch) const;
  [[nodiscard]] OffsetAnswer EarliestOffset(LeaderEpoch current_epoch) const;
  // End of the largest epoch <= `epoch` (KIP-101, KIP-279).
  [[nodiscard]] OffsetAnswer EndOffsetForEpoch(LeaderEpoch current_epoch, LeaderEpoch epoch) const;
  // Whether a request that names this leader epoch may be served by this replica as leader.
  [[nodiscard]] ErrorCode CheckLeader(LeaderEpoch current_epoch) const;

  // ---- the replica sender's view (leader) ----
  struct SendPlan {
    Offset from;  // first offset that the follower lacks
    Offset end;   // log end: also unsynced batches are sent (PR1 is kept by the follower)
    LeaderEpoch leader_epoch;
    Offset high_watermark;
    Offset log_start_offset;
    bool anything = false;  // batches, or a high watermark or log start the follower was not told
    bool high_watermark_only = false;  // nothing but that: nobody waits for it
  };
  [[nodiscard]] SendPlan PlanSend(BrokerId follower) const;
  // Batches up to `sent_end` were handed to the stream with these marks.
  void OnSent(BrokerId follower, Offset sent_end);
  // The same when the batches were read elsewhere: the marks of the SendPlan that went with them.
  void OnSent(BrokerId follower, Offset sent_end, Offset told_high_watermark,
              Offset told_log_start);

  // ---- state ----
  [[nodiscard]] PartitionRole role() const;
  [[nodiscard]] const PartitionIdentity& identity() const;
  [[nodiscard]] const PartitionConfig& config() const;
  [[nodiscard]] BrokerId leader() const;  // as of the newest assignment
  [[nodiscard]] LeaderEpoch leader_epoch() const;
  [[nodiscard]] PartitionEpoch partition_epoch() const;
  [[nodiscard]] Offset log_start_offset() const;
  [[nodiscard]] Offset high_watermark() const;
  [[nodiscard]] Offset durable_end_offset() const;
  [[nodiscard]] Offset log_end_offset() const;
  // High watermark has reached the start of this leader epoch: reads of the end are meaningful.
  [[nodiscard]] bool high_watermark_known() const;
  [[nodiscard]] const std::vector<BrokerId>& isr() const;
  // Current plus proposed; only meaningful for a leader.
  [[nodiscard]] std::vector<BrokerId> maximal_isr() const;
  [[nodiscard]] const std::vector<EpochEntry>& epochs() const;
  [[nodiscard]] std::vector<ProducerEntry> producers() const;
  [[nodiscard]] const ProducerTable& producer_table() const;
  // See ReplicaLog; while false, a leader refuses batches of idempotent producers.
  [[nodiscard]] bool producers_known() const;
  [[nodiscard]] size_t parked_acks() const;
  struct FollowerLag {
    BrokerId follower;
    int64_t records = 0;  // from its durable end to the log end
  };
  // Of the followers that this leader epoch has heard of; empty unless it leads.
  [[nodiscard]] std::vector<FollowerLag> follower_lags() const;

  // Every invariant that one replica can check alone. Called after each simulator step.
  void CheckInvariants() const;
  // The whole state, but for limits, names and how long the next pause of a seeking follower is.
  void AddTo(Fingerprint& state) const;

 private:
  struct Parts;
  explicit PartitionCore(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace quipu
