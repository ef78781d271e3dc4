#include "core/raft/leader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/raft/message_check.h"

namespace quipu {

using message::RaftMessage;

Leader::Leader(ReplicaState& replica, Instant now)
    : replica_(&replica),
      term_start_index_(replica.log().last_index() + 1),
      heartbeat_deadline_(now) {
  SyncPeers(term_start_index_, now);
}

void Leader::Start(Instant now) {
  QUIPU_INVARIANT("I1", replica_->VotedFor() == replica_->options().self);
  const RaftLog& log = replica_->log();
  for (LogIndex index = replica_->commit_index() + 1; index <= log.last_index(); ++index) {
    uncommitted_bytes_ += RaftEntryBytes(log.At(index));
  }
  LogIndex no_op = replica_->AppendOwn(message::RaftEntry::NO_OP, "");
  uncommitted_bytes_ += RaftEntryBytes(log.At(no_op));
  QUIPU_CHECK(no_op == term_start_index_);
  for (Peer& peer : peers_) Replicate(peer, now);
  heartbeat_deadline_ = now + replica_->options().heartbeat_interval;
}

void Leader::OnMessage(const RaftMessage& message, Instant now) {
  QUIPU_CHECK(message.term() == replica_->term().value());
  Peer* peer = Find(SenderOf(message));
  if (peer == nullptr || message.type() == RaftMessage::VOTE_RESPONSE) return;
  peer->heard_at = now;
  peer->heard = true;
  if (message.type() == RaftMessage::APPEND_RESPONSE) {
    OnAppendResponse(*peer, message, now);
  } else if (message.type() == RaftMessage::HEARTBEAT_RESPONSE) {
    OnHeartbeatResponse(*peer, message, now);
  } else if (message.type() == RaftMessage::INSTALL_SNAPSHOT_RESPONSE) {
    OnSnapshotResponse(*peer, message, now);
  }
}

Transition Leader::OnTime(Instant now) {
  if (!HasMajority(now)) return Transition::kToFollower;
  if (now < heartbeat_deadline_) return Transition::kStay;
  heartbeat_deadline_ = now + replica_->options().heartbeat_interval;
  // A round whose heartbeats were lost goes out again, and those who came since go with it.
  if (ready() && reads_.NeedsRound()) reads_.StartRound(replica_->commit_index());
  SendHeartbeats();
  return Transition::kStay;
}

void Leader::OnDurable() { MaybeCommit(); }

Leader::Proposed Leader::Propose(std::string data, Instant now) {
  const size_t bytes = RaftEntryBytes(data.size());
  if (bytes > replica_->options().proposal_bytes_max ||
      uncommitted_bytes_ > replica_->options().proposal_bytes_max - bytes) {
    return {ErrorCode::kLimitReached, LogIndex(0)};
  }
  LogIndex index = replica_->AppendOwn(message::RaftEntry::COMMAND, std::move(data));
  uncommitted_bytes_ += bytes;
  for (Peer& peer : peers_) Replicate(peer, now);
  return {ErrorCode::kNone, index};
}

ErrorCode Leader::ReadIndex(RaftReadToken token) {
  if (reads_.size() >= replica_->options().reads_max) return ErrorCode::kLimitReached;
  reads_.Add(token);
  MaybeStartReadRound();
  return ErrorCode::kNone;
}

void Leader::End() { reads_.FailAll(replica_->effects()); }

bool Leader::HasMajority(Instant now) const {
  // This replica hears itself.
  std::vector<Instant> heard = OfVoters(now, [](const Peer& peer) { return peer.heard_at; });
  const Instant majority_heard_at = replica_->voters().ReachedByMajority(std::move(heard));
  return now - majority_heard_at < replica_->options().election_timeout;
}

void Leader::OnAppendResponse(Peer& peer, const RaftMessage& message, Instant now) {
  if (message.reject()) {
    const LogIndex agreeable =
        replica_->log().LastAgreeable(LogIndex(message.hint_index()), Term(message.hint_term()));
    if (!peer.progress.OnRefused(LogIndex(message.last_log_index()), agreeable)) return;
  } else {
    const LogIndex match{message.match_index()};
    // A follower's log of this term is a copy of a part of this one [I5].
    QUIPU_INVARIANT("I5", match <= replica_->log().last_index());
    peer.progress.OnAccepted(match);
    MaybeCommit();
  }
  Replicate(peer, now);
}

void Leader::OnHeartbeatResponse(Peer& peer, const RaftMessage& message, Instant now) {
  peer.read_round = std::max(peer.read_round, message.read_sequence());
  CountReadRounds();
  peer.progress.OnAlive();
  if (peer.progress.state() == Progress::State::kSnapshot) {
    // Nothing came back for the chunk for two heartbeats: it or its answer is lost.
    if (now - peer.snapshot->sent_at() >= 2 * replica_->options().heartbeat_interval) {
      SendSnapshotChunk(peer, now);
    }
    return;
  }
  if (peer.progress.match() == replica_->log().last_index()) return;
  // The answers may be on their way, or APPENDs were lost: one without entries, behind the last
  // that was sent, is refused in the second case.
  if (peer.progress.state() == Progress::State::kReplicate &&
      !SendAppend(peer, /*with_entries=*/false, now)) {
    return;
  }
  Replicate(peer, now);
}

void Leader::OnSnapshotResponse(Peer& peer, const RaftMessage& message, Instant now) {
  if (!peer.snapshot || peer.progress.state() != Progress::State::kSnapshot) return;
  if (peer.snapshot->last_index() != LogIndex(message.snapshot().last_index())) return;
  if (message.snapshot().done()) {
    QUIPU_INVARIANT("I5", LogIndex(message.match_index()) <= replica_->log().last_index());
    peer.progress.OnSnapshotInstalled(LogIndex(message.match_index()));
    peer.snapshot.reset();
    MaybeCommit();
    Replicate(peer, now);
  } else if (message.reject()) {
    // Sent again when a heartbeat is answered, never at once: a follower that refuses every time
    // (a snapshot beyond its limit) must not be answered in a tight loop.
    peer.snapshot->Rewind(message.snapshot().position());
  } else if (peer.snapshot->OnReceived(message.snapshot().position())) {
    SendSnapshotChunk(peer, now);
  }
}

void Leader::Replicate(Peer& peer, Instant now) {
  while (peer.progress.MaySend(replica_->options()) &&
         peer.progress.next() <= replica_->log().last_index()) {
    if (!SendAppend(peer, /*with_entries=*/true, now)) return;
  }
}

bool Leader::SendAppend(Peer& peer, bool with_entries, Instant now) {
  const LogIndex prev = peer.progress.next() - 1;
  const RaftLog& log = replica_->log();
  std::optional<Term> prev_term = log.TermAt(prev);
  if (!prev_term) {
    QUIPU_CHECK(replica_->snapshot() != nullptr);
    peer.progress.BecomeSnapshot();
    peer.snapshot.emplace(replica_->snapshot(), replica_->options().snapshot_chunk_bytes);
    SendSnapshotChunk(peer, now);
    return false;
  }
  RaftMessage message = replica_->NewMessage(RaftMessage::APPEND, peer.identity);
  message.set_last_log_index(prev.value());
  message.set_last_log_term(prev_term->value());
  message.set_commit_index(replica_->commit_index().value());
  if (with_entries) {
    size_t bytes = 0;
    for (message::RaftEntry& entry : log.Slice(prev + 1, replica_->options().append_bytes_max)) {
      bytes += RaftEntryBytes(entry);
      *message.add_entries() = std::move(entry);
    }
    QUIPU_CHECK(message.entries_size() > 0);
    peer.progress.OnSent(prev + static_cast<uint64_t>(message.entries_size()), bytes);
  }
  replica_->SendNow(std::move(message));
  return true;
}

void Leader::SendSnapshotChunk(Peer& peer, Instant now) {
  QUIPU_CHECK(peer.snapshot.has_value());
  RaftMessage message = replica_->NewMessage(RaftMessage::INSTALL_SNAPSHOT, peer.identity);
  *message.mutable_snapshot() = peer.snapshot->NextChunk(now);
  replica_->SendNow(std::move(message));
}

void Leader::SendHeartbeats() {
  for (Peer& peer : peers_) {
    RaftMessage message = replica_->NewMessage(RaftMessage::HEARTBEAT, peer.identity);
    // Never more than what is known to be there and durable.
    const LogIndex known = IsPlanted(PlantedBug::kHeartbeatCommitsUnmatched)
                               ? replica_->commit_index()
                               : peer.progress.match();
    message.set_commit_index(std::min(replica_->commit_index(), known).value());
    message.set_read_sequence(reads_.round());
    replica_->SendNow(std::move(message));
  }
}

void Leader::MaybeStartReadRound() {
  if (!ready() || !reads_.NeedsRound() || !reads_.RoundIsOver()) return;
  reads_.StartRound(replica_->commit_index());
  SendHeartbeats();
  CountReadRounds();  // a single voter is its own majority
}

void Leader::CountReadRounds() {
  std::vector<uint64_t> rounds =
      OfVoters(reads_.round(), [](const Peer& peer) { return peer.read_round; });
  reads_.OnConfirmed(replica_->voters().ReachedByMajority(std::move(rounds)), replica_->effects());
  if (!peers_.empty()) MaybeStartReadRound();
}

void Leader::MaybeCommit() {
  const LogIndex reached = DurableOnMajority();
  const LogIndex former = replica_->commit_index();
  if (reached <= former) return;
  // Entries of former terms are committed only together with one of this term (Raft 5.4.2).
  if (replica_->log().TermAt(reached) != replica_->term() &&
      !IsPlanted(PlantedBug::kOlderTermCommitted)) {
    return;
  }
  for (LogIndex index = former + 1; index <= reached; ++index) {
    const size_t bytes = RaftEntryBytes(replica_->log().At(index));
    QUIPU_CHECK(bytes <= uncommitted_bytes_);
    uncommitted_bytes_ -= bytes;
  }
  replica_->AdvanceCommit(reached);
  MaybeStartReadRound();
}

LogIndex Leader::DurableOnMajority() const {
  const LogIndex own = IsPlanted(PlantedBug::kLeaderCountsUnsyncedAppend)
                           ? replica_->log().last_index()
                           : replica_->durable_index();
  return replica_->voters().ReachedByMajority(
      OfVoters(own, [](const Peer& peer) { return peer.progress.match(); }));
}

void Leader::CheckInvariants() const {
  QUIPU_INVARIANT("I1", replica_->VotedFor() == replica_->options().self);
  QUIPU_INVARIANT("I4", replica_->log().last_index() >= term_start_index_);
  QUIPU_INVARIANT("I4", replica_->log().last_term() == replica_->term());
  for (const Peer& peer : peers_) {
    QUIPU_INVARIANT("I5", peer.progress.match() <= replica_->log().last_index());
    QUIPU_INVARIANT("I5", peer.progress.match() < peer.progress.next());
    QUIPU_CHECK(peer.progress.in_flight() <= replica_->options().in_flight_appends_max);
    QUIPU_CHECK(peer.snapshot.has_value() == (peer.progress.state() == Progress::State::kSnapshot));
  }
  // A voter that has just become one may be behind what was committed without it.
  if (ready() && replica_->voter_history().index() <= replica_->commit_index()) {
    QUIPU_INVARIANT("I8", DurableOnMajority() >= replica_->commit_index());
  }
  QUIPU_CHECK((uncommitted_bytes_ == 0) ==
              (replica_->commit_index() == replica_->log().last_index()));
}

}  // namespace quipu
