#include "core/raft/follower.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/raft/message_check.h"

namespace quipu {

using message::RaftMessage;

Follower::Follower(ReplicaState& replica, Instant election_deadline)
    : replica_(&replica),
      election_deadline_(election_deadline),
      receiver_(replica.options().snapshot_bytes_max) {}

void Follower::OnMessage(RaftMessage message, Instant now) {
  QUIPU_CHECK(message.term() == replica_->term().value());
  if (!IsFromLeader(message)) return;
  HearLeader(ControllerId(message.from()), now);
  if (message.type() == RaftMessage::APPEND) {
    OnAppend(std::move(message));
  } else if (message.type() == RaftMessage::HEARTBEAT) {
    OnHeartbeat(message);
  } else {
    OnInstallSnapshot(message);
  }
}

void Follower::OnResigned(const RaftMessage& message, Instant now) {
  QUIPU_CHECK(message.term() == replica_->term().value());
  if (leader_ == kNoController || leader_ != ControllerId(message.from())) return;
  leader_ = kNoController;
  heard_leader_at_.reset();
  // A part of a time-out, drawn like one, so that not all stand at once.
  election_deadline_ = now + replica_->RandomElectionTimeout() / 8;
}

Transition Follower::OnTime(Instant now) {
  if (now < election_deadline_) return Transition::kStay;
  if (replica_->MayStand()) return Transition::kToPreCandidate;
  RestartElectionTimer(now);
  return Transition::kStay;
}

bool Follower::LeaderIsAlive(Instant now) const {
  return heard_leader_at_ && now - *heard_leader_at_ < replica_->options().election_timeout;
}

void Follower::HearLeader(ControllerId leader, Instant now) {
  QUIPU_INVARIANT("I1", leader_ == kNoController || leader_ == leader);
  leader_ = leader;
  heard_leader_at_ = now;
  RestartElectionTimer(now);
}

void Follower::RestartElectionTimer(Instant now) {
  election_deadline_ = now + replica_->RandomElectionTimeout();
}

//            commit                last_index
//   here     |[...]|[...][...][...]|
//   message        prev|[e1][e2][e3]      prev in the log with the same term, or refused
void Follower::OnAppend(RaftMessage message) {
  const RaftIdentity leader = SenderOf(message);
  const LogIndex commit = replica_->commit_index();
  const LogIndex prev{message.last_log_index()};
  const LogIndex last = prev + static_cast<uint64_t>(message.entries_size());
  if (last <= commit) {
    // Old news: everything up to the commit index is the same in every leader's log [I6].
    Accept(leader, commit);
    return;
  }
  const RaftLog& log = replica_->log();
  std::optional<Term> prev_term = log.TermAt(prev);
  if (prev > commit && prev_term != Term(message.last_log_term())) {
    RaftMessage refusal = replica_->NewMessage(RaftMessage::APPEND_RESPONSE, leader);
    const LogIndex agreeable = log.LastAgreeable(prev, Term(message.last_log_term()));
    refusal.set_reject(true);
    refusal.set_last_log_index(prev.value());
    refusal.set_hint_index(agreeable.value());
    refusal.set_hint_term(log.TermAt(agreeable)->value());
    replica_->SendWhenDurable(std::move(refusal));
    return;
  }
  for (message::RaftEntry& entry : *message.mutable_entries()) {
    if (LogIndex(entry.index()) <= log.snapshot_index()) continue;
    replica_->AppendFrom(std::move(entry));
  }
  replica_->AdvanceCommit(std::min(LogIndex(message.commit_index()), last));
  Accept(leader, last);
}

void Follower::OnHeartbeat(const RaftMessage& message) {
  // The leader names at most what it knows to be durable here. A log that is shorter has lost what
  // it acknowledged, and must not go on.
  QUIPU_INVARIANT("I8", LogIndex(message.commit_index()) <= replica_->log().last_index());
  replica_->AdvanceCommit(LogIndex(message.commit_index()));
  RaftMessage response = replica_->NewMessage(RaftMessage::HEARTBEAT_RESPONSE, SenderOf(message));
  response.set_read_sequence(message.read_sequence());
  replica_->SendWhenDurable(std::move(response));
}

void Follower::OnInstallSnapshot(const RaftMessage& message) {
  const RaftIdentity leader = SenderOf(message);
  const message::SnapshotChunk& chunk = message.snapshot();
  const LogIndex last{chunk.last_index()};
  RaftMessage response = replica_->NewMessage(RaftMessage::INSTALL_SNAPSHOT_RESPONSE, leader);
  response.mutable_snapshot()->set_last_index(last.value());
  if (last > replica_->commit_index() && replica_->log().TermAt(last) == Term(chunk.last_term())) {
    // The log holds the snapshot's last entry, so it holds all of them: committed, and no need
    // to replace anything.
    replica_->AdvanceCommit(last);
  }
  if (last > replica_->commit_index() || IsPlanted(PlantedBug::kOlderSnapshotInstalled)) {
    SnapshotReceiver::Result result = receiver_.Add(chunk);
    if (result != SnapshotReceiver::Result::kComplete) {
      response.set_reject(result == SnapshotReceiver::Result::kRestart);
      response.mutable_snapshot()->set_position(receiver_.position());
      replica_->SendWhenDurable(std::move(response));
      return;
    }
    replica_->InstallSnapshot(receiver_.Take());
  }
  response.mutable_snapshot()->set_done(true);
  response.set_match_index(replica_->commit_index().value());
  replica_->SendWhenDurable(std::move(response));
}

void Follower::Accept(const RaftIdentity& leader, LogIndex match) {
  RaftMessage response = replica_->NewMessage(RaftMessage::APPEND_RESPONSE, leader);
  response.set_match_index(match.value());
  if (IsPlanted(PlantedBug::kRaftAckBeforeSync)) {
    replica_->SendNow(std::move(response));
    return;
  }
  replica_->SendWhenDurable(std::move(response));
}

}  // namespace quipu
