#include "core/raft/raft_core.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/raft/message_check.h"

namespace quipu {

using message::RaftMessage;

namespace {

// The configurations of a recovered log.
absl::StatusOr<VoterHistory> RecoverVoters(const RaftOptions& options,
                                           const std::optional<RaftSnapshot>& snapshot,
                                           const RaftLog& log) {
  VoterSet first;
  if (!options.voters.empty()) {
    absl::StatusOr<VoterSet> formatted = VoterSet::CreateFirst(options.voters);
    if (!formatted.ok()) return formatted.status();
    if (!formatted->Contains(options.self)) {
      return ToStatus(ErrorCode::kInconsistentVoterSet,
                      absl::StrCat("controller ", options.self.id.value(),
                                   " is not a voter under its directory id"));
    }
    first = *std::move(formatted);
  }
  VoterHistory history(std::move(first));
  if (snapshot && !history.ResetTo(snapshot->voters)) {
    return ToStatus(ErrorCode::kCorruptMessage, "the snapshot's voters are damaged");
  }
  for (const message::RaftEntry& entry : log.entries()) {
    if (entry.kind() != message::RaftEntry::VOTERS) continue;
    std::optional<VoterSet> voters = VoterSet::Parse(entry.data());
    if (!voters) {
      return ToStatus(ErrorCode::kCorruptMessage,
                      absl::StrCat("entry ", entry.index(), " is no set of voters"));
    }
    history.Append(LogIndex(entry.index()), *std::move(voters));
  }
  return history;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RaftCore>> RaftCore::Create(RaftOptions options,
                                                           RecoveredRaft recovered, Instant now) {
  const LogIndex snapshot_index = recovered.snapshot ? recovered.snapshot->last_index : LogIndex(0);
  const Term snapshot_term = recovered.snapshot ? recovered.snapshot->last_term : Term(0);
  if (recovered.snapshot && (snapshot_index == LogIndex(0) || snapshot_term == Term(0))) {
    return ToStatus(ErrorCode::kCorruptMessage, "the snapshot ends at index or term 0");
  }
  absl::StatusOr<RaftLog> log =
      RaftLog::Create(snapshot_index, snapshot_term, std::move(recovered.entries));
  if (!log.ok()) return log.status();
  if (log->last_term() > recovered.hard_state.term) {
    return ToStatus(ErrorCode::kCorruptMessage,
                    absl::StrCat("the log ends in term ", log->last_term().value(),
                                 ", beyond the recorded term ", recovered.hard_state.term.value()));
  }
  absl::StatusOr<VoterHistory> voters = RecoverVoters(options, recovered.snapshot, *log);
  if (!voters.ok()) return voters.status();
  return std::unique_ptr<RaftCore>(new RaftCore(std::move(options), *std::move(voters),
                                                std::move(recovered), *std::move(log), now));
}

RaftCore::RaftCore(RaftOptions options, VoterHistory voters, RecoveredRaft recovered, RaftLog log,
                   Instant now)
    : replica_(std::move(options), std::move(voters), recovered.hard_state, std::move(log),
               recovered.snapshot
                   ? std::make_shared<const RaftSnapshot>(*std::move(recovered.snapshot))
                   : nullptr),
      role_(std::in_place_type<Follower>, replica_, now) {
  // Nobody else can be the leader of a single voter: no need to wait for one.
  if (replica_.voters().size() != 1 || !replica_.IsVoter()) BecomeFollower(now);
  told_ = {RaftRole::kFollower, term(), kNoController, false};
  if (IsPlanted(PlantedBug::kLeaderResumesAfterRestart) &&
      replica_.VotedFor() == replica_.options().self) {
    role_.emplace<Leader>(replica_, now).Start(now);
  }
}

void RaftCore::Step(RaftMessage message, Instant now, RaftEffects& effects) {
  if (!IsAdmissible(message, replica_.options(), replica_.voters())) {
    ++dropped_messages_;
    return;
  }
  if (message.type() == RaftMessage::PRE_VOTE) {
    AnswerPreVote(message, now);
    Finish(effects);
    return;
  }
  const Term message_term{message.term()};
  if (message_term > term()) {
    if (message.type() == RaftMessage::VOTE && LeaderIsAlive(now)) {
      ++dropped_messages_;  // thesis 4.2.3: a live leader is not disturbed
      return;
    }
    // A granted pre-vote names a term that nobody has entered yet.
    if (message.type() != RaftMessage::PRE_VOTE_RESPONSE || message.reject()) {
      FollowTerm(message_term, now);
    }
  } else if (message_term < term()) {
    AnswerOldTerm(message);
    Finish(effects);
    return;
  }
  if (message.type() == RaftMessage::VOTE) {
    AnswerVote(message, now);
  } else {
    Become(Dispatch(message, now), now);
  }
  MaybeResign(now);
  Finish(effects);
}

Transition RaftCore::Dispatch(RaftMessage& message, Instant now) {
  if (Candidate* candidate = std::get_if<Candidate>(&role_)) {
    if (!IsFromLeader(message)) return candidate->OnMessage(message);
    // Somebody else has won this term (Raft 5.2, C18).
    BecomeFollower(now);
  }
  if (Leader* leader = std::get_if<Leader>(&role_)) {
    QUIPU_INVARIANT("I1", !IsFromLeader(message));
    if (message.type() != RaftMessage::PRE_VOTE_RESPONSE) leader->OnMessage(message, now);
    return Transition::kStay;
  }
  if (message.type() == RaftMessage::RESIGNED) {
    std::get<Follower>(role_).OnResigned(message, now);
  } else if (message.type() != RaftMessage::PRE_VOTE_RESPONSE) {
    std::get<Follower>(role_).OnMessage(std::move(message), now);
  }
  return Transition::kStay;
}

void RaftCore::OnTime(Instant now, RaftEffects& effects) {
  Become(std::visit([now](auto& role) { return role.OnTime(now); }, role_), now);
  Finish(effects);
}

void RaftCore::OnPersisted(RaftWriteId id, Instant now, RaftEffects& effects) {
  WriteQueue::Completed completed = replica_.writes().OnPersisted(id);
  for (RaftMessage& message : completed.messages) replica_.SendNow(std::move(message));
  if (Leader* leader = std::get_if<Leader>(&role_)) leader->OnDurable();
  Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate != nullptr && completed.own_vote) {
    Become(candidate->OnOwnVoteDurable(*completed.own_vote), now);
  }
  MaybeResign(now);
  Finish(effects);
}

RaftCore::Proposed RaftCore::Propose(std::string data, Instant now, RaftEffects& effects) {
  Leader* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return {ErrorCode::kNotController, LogIndex(0)};
  Leader::Proposed proposed = leader->Propose(std::move(data), now);
  Finish(effects);
  return {proposed.error, proposed.index};
}

RaftCore::Proposed RaftCore::ChangeVoters(VoterSet next, Instant now, RaftEffects& effects) {
  Leader* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return {ErrorCode::kNotController, LogIndex(0)};
  Leader::Proposed proposed = leader->ChangeVoters(std::move(next), now);
  Finish(effects);
  return {proposed.error, proposed.index};
}

ErrorCode RaftCore::ReadIndex(RaftReadToken token, RaftEffects& effects) {
  Leader* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return ErrorCode::kNotController;
  ErrorCode error = leader->ReadIndex(token);
  Finish(effects);
  return error;
}

void RaftCore::Resign(Instant now, RaftEffects& effects) {
  if (!std::holds_alternative<Leader>(role_) || replica_.voters().size() == 1) return;
  for (const RaftVoter& voter : replica_.voters().members()) {
    if (voter.identity == replica_.options().self) continue;
    replica_.SendNow(replica_.NewMessage(RaftMessage::RESIGNED, voter.identity));
  }
  BecomeFollower(now);
  Finish(effects);
}

void RaftCore::Compact(LogIndex last, std::string data, RaftEffects& effects) {
  replica_.Compact(last, std::move(data));
  Finish(effects);
}

// ---- votes --------------------------------------------------------------------------------------

void RaftCore::AnswerPreVote(const RaftMessage& message, Instant now) {
  const RaftIdentity candidate = SenderOf(message);
  const Term proposed{message.term()};
  const bool electable =
      proposed > term() || (proposed == term() && replica_.MayVoteFor(candidate));
  const bool granted =
      electable && !LeaderIsAlive(now) &&
      replica_.log().IsUpToDate(LogIndex(message.last_log_index()), Term(message.last_log_term()));
  RaftMessage response = replica_.NewMessage(RaftMessage::PRE_VOTE_RESPONSE, candidate);
  response.set_reject(!granted);
  // A grant repeats the proposed term; a refusal tells the own, so that a straggler catches up.
  if (granted) response.set_term(proposed.value());
  if (response.term() == 0) return;  // a refusal out of term 0 tells nothing
  replica_.SendWhenDurable(std::move(response));
}

void RaftCore::AnswerVote(const RaftMessage& message, Instant now) {
  const RaftIdentity candidate = SenderOf(message);
  const bool granted =
      replica_.MayVoteFor(candidate) && leader() == kNoController &&
      replica_.log().IsUpToDate(LogIndex(message.last_log_index()), Term(message.last_log_term()));
  RaftMessage response = replica_.NewMessage(RaftMessage::VOTE_RESPONSE, candidate);
  response.set_reject(!granted);
  if (granted) {
    replica_.VoteFor(candidate);
    if (!std::holds_alternative<Follower>(role_)) BecomeFollower(now);
    std::get<Follower>(role_).OnVoteGranted(now);
  }
  if (IsPlanted(PlantedBug::kVoteNotSynced)) {
    replica_.SendNow(std::move(response));
    return;
  }
  replica_.SendWhenDurable(std::move(response));
}

void RaftCore::AnswerOldTerm(const RaftMessage& message) {
  const RaftIdentity sender = SenderOf(message);
  if (message.type() == RaftMessage::VOTE) {
    RaftMessage response = replica_.NewMessage(RaftMessage::VOTE_RESPONSE, sender);
    response.set_reject(true);
    replica_.SendWhenDurable(std::move(response));
  } else if (IsFromLeader(message) && !IsPlanted(PlantedBug::kOldTermLeaderNotTold)) {
    // With pre-vote, a node at a higher term has no other way back in than to tell its term to the
    // leader that it cannot follow (C09).
    RaftMessage response = replica_.NewMessage(RaftMessage::APPEND_RESPONSE, sender);
    response.set_reject(true);
    replica_.SendWhenDurable(std::move(response));
  }
}

bool RaftCore::LeaderIsAlive(Instant now) const {
  if (const Follower* follower = std::get_if<Follower>(&role_)) return follower->LeaderIsAlive(now);
  if (const Leader* leader = std::get_if<Leader>(&role_)) return leader->HasMajority(now);
  return false;
}

// ---- transitions --------------------------------------------------------------------------------

void RaftCore::FollowTerm(Term term, Instant now) {
  replica_.EnterTerm(term);
  if (const Follower* follower = std::get_if<Follower>(&role_)) {
    // A new term alone is no reason to wait longer.
    const Instant deadline = follower->deadline();
    role_.emplace<Follower>(replica_, deadline);
    return;
  }
  BecomeFollower(now);
}

void RaftCore::BecomeFollower(Instant now) {
  if (Leader* leader = std::get_if<Leader>(&role_)) leader->End();
  role_.emplace<Follower>(replica_, now + replica_.RandomElectionTimeout());
}

void RaftCore::MaybeResign(Instant now) {
  const Leader* leader = std::get_if<Leader>(&role_);
  if (leader != nullptr && leader->IsRemoved()) BecomeFollower(now);
}

void RaftCore::Become(Transition transition, Instant now) {
  while (transition != Transition::kStay) {
    switch (transition) {
      case Transition::kToFollower:
        BecomeFollower(now);
        transition = Transition::kStay;
        break;
      case Transition::kToPreCandidate:
        transition = role_.emplace<Candidate>(replica_, Candidate::Ballot::kPreVote, now).Start();
        break;
      case Transition::kToCandidate:
        transition = role_.emplace<Candidate>(replica_, Candidate::Ballot::kVote, now).Start();
        break;
      case Transition::kToLeader:
        role_.emplace<Leader>(replica_, now).Start(now);
        transition = Transition::kStay;
        break;
      case Transition::kStay:
        break;
    }
  }
}

void RaftCore::Finish(RaftEffects& effects) {
  const RaftRoleChange change{role(), term(), leader(), IsReadyLeader()};
  if (change != told_) {
    told_ = change;
    replica_.effects().role_changes.push_back(change);
  }
  replica_.Flush(effects);
}

// ---- accessors ----------------------------------------------------------------------------------

RaftRole RaftCore::role() const {
  if (std::holds_alternative<Leader>(role_)) return RaftRole::kLeader;
  const Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr) return RaftRole::kFollower;
  return candidate->ballot() == Candidate::Ballot::kVote ? RaftRole::kCandidate
                                                         : RaftRole::kPreCandidate;
}

ControllerId RaftCore::leader() const {
  if (std::holds_alternative<Leader>(role_)) return replica_.options().self.id;
  const Follower* follower = std::get_if<Follower>(&role_);
  return follower == nullptr ? kNoController : follower->leader();
}

bool RaftCore::IsReadyLeader() const {
  const Leader* leader = std::get_if<Leader>(&role_);
  return leader != nullptr && leader->ready();
}

Instant RaftCore::deadline() const {
  return std::visit([](const auto& role) { return role.deadline(); }, role_);
}

size_t RaftCore::uncommitted_bytes() const {
  const Leader* leader = std::get_if<Leader>(&role_);
  return leader == nullptr ? 0 : leader->uncommitted_bytes();
}

const Progress* RaftCore::ProgressOf(const RaftIdentity& follower) const {
  const Leader* leader = std::get_if<Leader>(&role_);
  return leader == nullptr ? nullptr : leader->ProgressOf(follower);
}

std::optional<Duration> RaftCore::SilenceOf(const RaftIdentity& follower, Instant now) const {
  const Leader* leader = std::get_if<Leader>(&role_);
  return leader == nullptr ? std::nullopt : leader->SilenceOf(follower, now);
}

void RaftCore::CheckInvariants() const {
  replica_.CheckInvariants();
  if (const Leader* leader = std::get_if<Leader>(&role_)) leader->CheckInvariants();
  if (role() == RaftRole::kCandidate) {
    QUIPU_INVARIANT("I3", replica_.VotedFor() == replica_.options().self);
  }
}

}  // namespace quipu
