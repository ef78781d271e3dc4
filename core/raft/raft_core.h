// Raft as a pure machine: inputs in, effects out, no clock, no thread, no disk, no network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/raft/candidate.h"
#include "core/raft/follower.h"
#include "core/raft/leader.h"
#include "core/raft/raft_log.h"
#include "core/raft/raft_types.h"
#include "core/raft/replica_state.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// One controller: a voter of a quorum of one to five, or an observer that is told what they decide
// and decides nothing. Voters are replaced one at a time by ChangeVoters. The same options,
// recovered state and inputs give the same effects, byte for byte.
//
// Every input takes the effects as its last argument and adds to them; RaftEffects says how they
// are carried out. `now` is monotonic; safety never depends on it. After each write of
// `effects.persists` is durable the host calls OnPersisted; if a write fails the host ends the
// process and gives no further input (PR8).
//
// Source: Ongaro, "Consensus: Bridging Theory and Practice", chapters 3, 4, 6.2, 6.4, 9.6, 10.2.1.
class RaftCore {
 public:
  // A follower of the recovered term, knowing nothing as committed beyond its snapshot: a restart
  // never resumes leadership (C04). The host restores the state machine from `recovered.snapshot`
  // itself.
  //   kInconsistentVoterSet  the options' voters are not 1, 3 or 5, or `self` is not one of them
  //                          (none at all: an observer)
  //   kCorruptMessage        the recovered log has gaps, contradicts its hard state, or holds a
  //                          configuration that is none
  static absl::StatusOr<std::unique_ptr<RaftCore>> Create(RaftOptions options,
                                                          RecoveredRaft recovered, Instant now);
  RaftCore(const RaftCore&) = delete;
  RaftCore& operator=(const RaftCore&) = delete;

  // A message, late, repeated, reordered or foreign as it may be; inadmissible ones are counted
  // and dropped.
  void Step(message::RaftMessage message, Instant now, RaftEffects& effects);
  // Time has passed. Needed at deadline() or soon after; harmless at any moment.
  void OnTime(Instant now, RaftEffects& effects);
  // Writes up to `id` are durable (they become so in the order they were given out).
  void OnPersisted(RaftWriteId id, Instant now, RaftEffects& effects);

  // Appends a command. The entry is decided when it comes out in `committed` with the returned
  // index and the present term; when leadership ends first, its fate is unknown.
  //   kNotController  not the leader
  //   kLimitReached   more than proposal_bytes_max would be uncommitted
  struct Proposed {
    ErrorCode error = ErrorCode::kNone;
    LogIndex index;
  };
  Proposed Propose(std::string data, Instant now, RaftEffects& effects);

  // Appends the next configuration of the quorum, which is in force at once (Raft thesis 4). It
  // differs from the present one in one thing (VoterSet::CheckStep), and may come only when the
  // leader has committed an entry of its own term (C05) and the present one is committed.
  //   kNotController         not the leader, or nothing of its term is committed yet
  //   kReassignmentInProgress  the present configuration is not committed
  //   kReplicaNotAvailable   who is to become a voter is silent, or lacks more than
  //                          joiner_lag_entries_max entries of what is committed
  //   kInvalidRequest, kInconsistentVoterSet  not one step away
  //   kLimitReached          as Propose
  Proposed ChangeVoters(VoterSet next, Instant now, RaftEffects& effects);

  // Asks for an index at or above everything acknowledged by now; the answer is an effect with the
  // same `token`, which may be in `effects` already.
  //   kNotController  not the leader: no answer follows
  //   kLimitReached   reads_max wait: no answer follows
  ErrorCode ReadIndex(RaftReadToken token, RaftEffects& effects);

  // A leader that cannot do its work (its disk does not answer, D6) leads no longer: it follows
  // nobody in its term, and tells the others, which elect. Nothing when not leading, or alone.
  void Resign(Instant now, RaftEffects& effects);

  // `data` is the state machine as of `last` (snapshot_index <= last <= commit_index): the log
  // up to there is no longer needed.
  void Compact(LogIndex last, std::string data, RaftEffects& effects);

  // ---- for hosts, checkers and `status` ----
  [[nodiscard]] RaftRole role() const;
  [[nodiscard]] Term term() const { return replica_.term(); }
  // kNoController while not known.
  [[nodiscard]] ControllerId leader() const;
  // The leader, and everything of former terms is committed and given out.
  [[nodiscard]] bool IsReadyLeader() const;
  // When OnTime is due next.
  [[nodiscard]] Instant deadline() const;
  [[nodiscard]] LogIndex commit_index() const { return replica_.commit_index(); }
  // Inclusive.
  [[nodiscard]] LogIndex last_index() const { return replica_.log().last_index(); }
  // The end of what a crash cannot take away.
  [[nodiscard]] LogIndex durable_index() const { return replica_.durable_index(); }
  // The entries behind the snapshot.
  [[nodiscard]] const RaftLog& log() const { return replica_.log(); }
  [[nodiscard]] const RaftHardState& hard_state() const { return replica_.hard_state(); }
  // Null before the first.
  [[nodiscard]] const std::shared_ptr<const RaftSnapshot>& snapshot() const {
    return replica_.snapshot();
  }
  [[nodiscard]] const RaftOptions& options() const { return replica_.options(); }
  // The configuration in force here, and those that the log holds.
  [[nodiscard]] const VoterSet& voters() const { return replica_.voters(); }
  [[nodiscard]] const VoterHistory& voter_history() const { return replica_.voter_history(); }
  // Whether the configuration in force is known to be committed.
  [[nodiscard]] bool VotersAreCommitted() const {
    return voter_history().index() <= commit_index();
  }
  // Counts for nothing here and stands for no election.
  [[nodiscard]] bool IsObserver() const { return !replica_.MayStand(); }
  // Writes are given out that have not been completed.
  [[nodiscard]] bool HasPendingWrites() const { return !replica_.writes_idle(); }
  // Of entries proposed and not yet committed; 0 unless it leads. At most proposal_bytes_max.
  [[nodiscard]] size_t uncommitted_bytes() const;
  [[nodiscard]] uint64_t dropped_messages() const { return dropped_messages_; }
  // Of a voter or of who joins, while leading; else null.
  [[nodiscard]] const Progress* ProgressOf(const RaftIdentity& follower) const;
  // Since when it is silent; nullopt when it has not been heard in this leadership, or this replica
  // does not lead.
  [[nodiscard]] std::optional<Duration> SilenceOf(const RaftIdentity& follower, Instant now) const;

  // Asserts everything that holds between inputs.
  void CheckInvariants() const;

 private:
  RaftCore(RaftOptions options, VoterHistory voters, RecoveredRaft recovered, RaftLog log,
           Instant now);

  void AnswerPreVote(const message::RaftMessage& message, Instant now);
  void AnswerVote(const message::RaftMessage& message, Instant now);
  void AnswerOldTerm(const message::RaftMessage& message);
  // Enters `term` as a follower of nobody yet.
  void FollowTerm(Term term, Instant now);
  // A leader is alive as far as this replica knows: no votes for others (C07).
  [[nodiscard]] bool LeaderIsAlive(Instant now) const;
  Transition Dispatch(message::RaftMessage& message, Instant now);
  // A leader that is no voter any more goes, once that is committed.
  void MaybeResign(Instant now);
  void Become(Transition transition, Instant now);
  void BecomeFollower(Instant now);
  void Finish(RaftEffects& effects);

  ReplicaState replica_;
  std::variant<Follower, Candidate, Leader> role_;
  RaftRoleChange told_;  // the last role change given out
  uint64_t dropped_messages_ = 0;
};

}  // namespace quipu
