// What a replica is in every role: its identity, term, vote, log and commit index, and the output
// of the input at hand.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/ids.h"
#include "base/rng.h"
#include "base/time.h"
#include "core/raft/raft_log.h"
#include "core/raft/raft_types.h"
#include "core/raft/voters/voter_history.h"
#include "core/raft/voters/voter_set.h"
#include "core/raft/write_queue.h"

namespace quipu {

// What a role wants the replica to be after an input. The facade makes the change.
//
//   kFollower --election timeout--> kPreCandidate --majority would vote--> kCandidate
//       ^                                |   ^                                |    |
//       |<---- majority would not -------|   |<------ election timeout -------|    |
//       |<---- leader of this term, or a higher term, heard by anybody ------------|
//       |                                                                          |
//       |<-- higher term, or no contact with a majority -- kLeader <-- majority --|
enum class Transition { kStay, kToFollower, kToPreCandidate, kToCandidate, kToLeader };

// Shared by the roles of one RaftCore; the only place where term, vote, log and commit index
// change, so that the rules about them are asserted once.
class ReplicaState {
 public:
  // `log` fits `snapshot`, which may be null, and `voters` fits both. Nothing beyond the snapshot
  // counts as committed.
  ReplicaState(RaftOptions options, VoterHistory voters, RaftHardState hard_state, RaftLog log,
               std::shared_ptr<const RaftSnapshot> snapshot);

  [[nodiscard]] const RaftOptions& options() const { return options_; }
  // The last configuration in the log, committed or not (Raft thesis 4.1).
  [[nodiscard]] const VoterSet& voters() const { return voters_.current(); }
  [[nodiscard]] const VoterHistory& voter_history() const { return voters_; }
  [[nodiscard]] bool IsVoter() const { return voters().Contains(options_.self); }
  // Whether this replica may stand for election: it is a voter, or what made it none is not known
  // to be committed here. Then it may be the only one who can win: the others need its vote as long
  // as they have not heard of its removal, and its log is longer than theirs (Raft thesis 4.2.2,
  // C19).
  [[nodiscard]] bool MayStand() const;
  [[nodiscard]] const RaftHardState& hard_state() const { return hard_state_; }
  [[nodiscard]] Term term() const { return hard_state_.term; }
  [[nodiscard]] const RaftLog& log() const { return log_; }
  [[nodiscard]] LogIndex commit_index() const { return commit_index_; }
  [[nodiscard]] LogIndex durable_index() const { return writes_.durable_index(); }
  [[nodiscard]] const std::shared_ptr<const RaftSnapshot>& snapshot() const { return snapshot_; }
  [[nodiscard]] RaftIdentity VotedFor() const {
    return {hard_state_.voted_for, hard_state_.voted_directory};
  }

  // ---- term and vote ----
  // A greater term than before, without a vote yet [I2].
  void EnterTerm(Term term);
  // Whether a vote for `who` in this term breaks no promise (the same vote may be repeated, C18).
  [[nodiscard]] bool MayVoteFor(const RaftIdentity& who) const;
  // Once per term [I3].
  void VoteFor(const RaftIdentity& who);

  // ---- log ----
  // Adds an entry of this term at the end.
  LogIndex AppendOwn(message::RaftEntry::Kind kind, std::string data);
  // The same for a configuration, which is in force at once.
  LogIndex AppendVoters(VoterSet next);
  // Adds a leader's entry unless it is here already, cutting off entries that conflict with it
  // [I9]. Followers only: a leader never cuts its log [I4].
  void AppendFrom(message::RaftEntry entry);
  // Raises the commit index, never lowers it [I8], and gives out what became committed. `index` is
  // at most last_index.
  void AdvanceCommit(LogIndex index);
  // The state machine's snapshot as of `last` (snapshot_index <= last <= commit_index) takes the
  // place of the log below it.
  void Compact(LogIndex last, std::string data);
  // A leader's snapshot beyond the commit index takes the place of everything [I12].
  void InstallSnapshot(RaftSnapshot snapshot);

  // ---- output ----
  // A message of this replica in this term, addressed to `to`.
  [[nodiscard]] message::RaftMessage NewMessage(message::RaftMessage::Type type,
                                                const RaftIdentity& to) const;
  // Leaves at once: for messages that promise nothing about this replica's disk.
  void SendNow(message::RaftMessage message) { effects_.messages.push_back(std::move(message)); }
  // Leaves when everything this replica has changed so far is durable (Raft checklist 1).
  void SendWhenDurable(message::RaftMessage message) { writes_.HoldMessage(std::move(message)); }
  RaftEffects& effects() { return effects_; }
  WriteQueue& writes() { return writes_; }
  [[nodiscard]] bool writes_idle() const { return writes_.idle(); }
  // Gives out the write and the effects of this input, behind what `effects` holds already.
  void Flush(RaftEffects& effects);

  // Uniform in [election_timeout, 2 * election_timeout) (Raft 5.2).
  Duration RandomElectionTimeout();

  void CheckInvariants() const;

 private:
  RaftOptions options_;
  VoterHistory voters_;
  RaftHardState hard_state_;
  RaftLog log_;
  std::shared_ptr<const RaftSnapshot> snapshot_;
  LogIndex commit_index_;
  WriteQueue writes_;
  RaftEffects effects_;
  Rng rng_;
};

}  // namespace quipu
