#include "core/raft/candidate.h"

#include <utility>

#include "base/planted_bug.h"
#include "core/raft/message_check.h"

namespace quipu {

using message::RaftMessage;

Candidate::Candidate(ReplicaState& replica, Ballot ballot, Instant now)
    : replica_(&replica), ballot_(ballot), deadline_(now + replica.RandomElectionTimeout()) {}

Transition Candidate::Start() {
  const RaftIdentity& self = replica_->options().self;
  if (ballot_ == Ballot::kPreVote) {
    tally_.Record(self, true);
  } else {
    replica_->EnterTerm(replica_->term() + 1);
    replica_->VoteFor(self);
    if (IsPlanted(PlantedBug::kVoteNotSynced)) {
      tally_.Record(self, true);
    } else {
      replica_->writes().HoldOwnVote(replica_->term());
    }
  }
  for (const RaftVoter& voter : replica_->voters().members()) {
    if (voter.identity != self) Ask(voter.identity);
  }
  return Count();
}

void Candidate::Ask(const RaftIdentity& voter) {
  const bool pre_vote = ballot_ == Ballot::kPreVote;
  RaftMessage message =
      replica_->NewMessage(pre_vote ? RaftMessage::PRE_VOTE : RaftMessage::VOTE, voter);
  message.set_last_log_index(replica_->log().last_index().value());
  message.set_last_log_term(replica_->log().last_term().value());
  if (pre_vote) {
    message.set_term(replica_->term().value() + 1);  // the term that a vote would be in
    replica_->SendNow(std::move(message));
  } else if (IsPlanted(PlantedBug::kVoteNotSynced)) {
    replica_->SendNow(std::move(message));
  } else {
    replica_->SendWhenDurable(std::move(message));
  }
}

Transition Candidate::OnMessage(const RaftMessage& message) {
  const uint64_t term = replica_->term().value();
  if (ballot_ == Ballot::kPreVote) {
    if (message.type() != RaftMessage::PRE_VOTE_RESPONSE) return Transition::kStay;
    // A grant names the proposed term, a refusal the refuser's own.
    if (!message.reject() && message.term() != term + 1) return Transition::kStay;
  } else {
    if (message.type() != RaftMessage::VOTE_RESPONSE) return Transition::kStay;
    if (message.term() != term) return Transition::kStay;
  }
  tally_.Record(SenderOf(message), !message.reject());
  return Count();
}

Transition Candidate::OnOwnVoteDurable(Term term) {
  if (ballot_ != Ballot::kVote || term != replica_->term()) return Transition::kStay;
  tally_.Record(replica_->options().self, true);
  return Count();
}

Transition Candidate::Count() const {
  switch (tally_.Count(replica_->voters())) {
    case VoteTally::Outcome::kOpen:
      return Transition::kStay;
    case VoteTally::Outcome::kWon:
      return ballot_ == Ballot::kPreVote ? Transition::kToCandidate : Transition::kToLeader;
    case VoteTally::Outcome::kLost:
      return Transition::kToFollower;
  }
  return Transition::kStay;
}

}  // namespace quipu
