// Leader: who counts, and how that changes.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/raft/leader.h"

namespace quipu {

Leader::Proposed Leader::ChangeVoters(VoterSet next, Instant now) {
  // Until an entry of this term is committed, another leader's configuration may still win, and its
  // quorums and those of `next` need not overlap (C05).
  if (!ready() && !IsPlanted(PlantedBug::kConfigChangeBeforeOwnTermCommit)) {
    return {ErrorCode::kNotController, LogIndex(0)};
  }
  if (replica_->voter_history().index() > replica_->commit_index()) {
    return {ErrorCode::kReassignmentInProgress, LogIndex(0)};
  }
  const ErrorCode step = replica_->voters().CheckStep(next);
  if (step != ErrorCode::kNone) return {step, LogIndex(0)};
  if (next.size() > replica_->voters().size() && !JoinerIsCaughtUp(now)) {
    return {ErrorCode::kReplicaNotAvailable, LogIndex(0)};
  }
  const size_t bytes = RaftEntryBytes(next.Serialize().size());
  if (uncommitted_bytes_ + bytes > replica_->options().proposal_bytes_max) {
    return {ErrorCode::kLimitReached, LogIndex(0)};
  }
  const LogIndex index = replica_->AppendVoters(std::move(next));
  uncommitted_bytes_ += bytes;
  SyncPeers(index, now);
  for (Peer& peer : peers_) Replicate(peer, now);
  MaybeCommit();  // fewer may have to agree now
  return {ErrorCode::kNone, index};
}

bool Leader::IsRemoved() const {
  return !replica_->IsVoter() && replica_->voter_history().index() <= replica_->commit_index();
}

bool Leader::JoinerIsCaughtUp(Instant now) const {
  const std::optional<RaftVoter>& joining = replica_->voters().joining();
  const Peer* peer = joining ? Find(joining->identity) : nullptr;
  if (peer == nullptr || !peer->heard) return false;
  return now - peer->heard_at < replica_->options().election_timeout &&
         peer->progress.match() + replica_->options().joiner_lag_entries_max >=
             replica_->commit_index();
}

void Leader::SyncPeers(LogIndex next, Instant now) {
  std::vector<Peer> former = std::exchange(peers_, {});
  const auto keep = [&](const RaftVoter& voter) {
    if (voter.identity == replica_->options().self) return;
    const auto found = std::find_if(former.begin(), former.end(), [&voter](const Peer& peer) {
      return peer.identity == voter.identity;
    });
    if (found != former.end()) {
      peers_.push_back(std::move(*found));
    } else {
      peers_.push_back({.identity = voter.identity,
                        .progress = Progress(next),
                        .heard_at = now,
                        .snapshot = std::nullopt});
    }
  };
  for (const RaftVoter& voter : replica_->voters().members()) keep(voter);
  if (replica_->voters().joining()) keep(*replica_->voters().joining());
}

const Progress* Leader::ProgressOf(const RaftIdentity& who) const {
  const Peer* peer = Find(who);
  return peer == nullptr ? nullptr : &peer->progress;
}

std::optional<Duration> Leader::SilenceOf(const RaftIdentity& who, Instant now) const {
  const Peer* peer = Find(who);
  if (peer == nullptr || !peer->heard) return std::nullopt;
  return now - peer->heard_at;
}

Leader::Peer* Leader::Find(const RaftIdentity& who) {
  return const_cast<Peer*>(std::as_const(*this).Find(who));
}

const Leader::Peer* Leader::Find(const RaftIdentity& who) const {
  for (const Peer& peer : peers_) {
    if (IsSameVoter(peer.identity, who)) return &peer;
  }
  return nullptr;
}

}  // namespace quipu
