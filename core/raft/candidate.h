// A pre-candidate or candidate: asks for votes.
#pragma once

#include "base/time.h"
#include "core/raft/replica_state.h"
#include "core/raft/voters/voter_set.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Both ballots, since they differ only in what they change: a pre-vote (thesis 9.6) asks whether a
// vote would be given and changes nothing anywhere; a vote enters a new term, votes for itself, and
// speaks only when both are durable. A node that cannot win therefore never raises the term of
// others (C07, C09).
//
// Who counts is a matter of its own configuration: its own vote too counts only if it is a voter in
// it.
class Candidate {
 public:
  enum class Ballot { kPreVote, kVote };

  // `replica` outlives the role. Nothing is sent before Start.
  Candidate(ReplicaState& replica, Ballot ballot, Instant now);

  // Opens the ballot. A single voter wins its pre-vote at once.
  Transition Start();
  // PRE_VOTE_RESPONSE or VOTE_RESPONSE that belongs to this ballot.
  Transition OnMessage(const message::RaftMessage& message);
  // The own vote in `term` is durable and counts (C03).
  Transition OnOwnVoteDurable(Term term);
  Transition OnTime(Instant now) const {
    return now >= deadline_ ? Transition::kToPreCandidate : Transition::kStay;
  }

  [[nodiscard]] Ballot ballot() const { return ballot_; }
  [[nodiscard]] Instant deadline() const { return deadline_; }

 private:
  Transition Count() const;
  void Ask(const RaftIdentity& voter);

  ReplicaState* replica_;
  Ballot ballot_;
  Instant deadline_;
  VoteTally tally_;
};

}  // namespace quipu
