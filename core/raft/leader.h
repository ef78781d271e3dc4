// The leader: appends, replicates, commits, confirms reads, and gives up without a majority.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/planted_bug.h"
#include "base/time.h"
#include "core/raft/progress.h"
#include "core/raft/read_index.h"
#include "core/raft/replica_state.h"
#include "core/raft/snapshot_transfer.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Raft 5.3, 5.4.2, 6.4 and CheckQuorum (thesis 6.2).
//   - Its first act is a no-op entry: only entries of the own term are committed by counting, and
//     reads wait for the first of them (C12).
//   - APPENDs leave while its own write is on the way to the disk (thesis 10.2.1); its own end
//     counts when durable, like a follower's.
//   - It steps down when a majority has been silent for an election timeout.
//   - Who counts is said by the last configuration in its log. Whoever joins gets the log like a
//     voter and counts for nothing. A leader that is no voter itself counts for nothing either.
class Leader {
 public:
  // `replica` outlives the role and has won the election of its term.
  Leader(ReplicaState& replica, Instant now);

  // Appends the no-op and tells everybody.
  void Start(Instant now);
  // Responses of followers in this term.
  void OnMessage(const message::RaftMessage& message, Instant now);
  // Heartbeats; kToFollower when a majority is silent.
  Transition OnTime(Instant now);
  // More of the own log is durable.
  void OnDurable();
  // The index of the new entry, or kLimitReached (nothing happened).
  struct Proposed {
    ErrorCode error = ErrorCode::kNone;
    LogIndex index;
  };
  Proposed Propose(std::string data, Instant now);
  // The next configuration; errors as RaftCore::ChangeVoters.
  Proposed ChangeVoters(VoterSet next, Instant now);
  // kNone: the answer comes as an effect. kLimitReached: too many wait.
  ErrorCode ReadIndex(RaftReadToken token);
  // Leadership ends, for whatever reason: waiting reads fail.
  void End();

  // Whether an entry of the own term is committed.
  [[nodiscard]] bool ready() const { return replica_->commit_index() >= term_start_index_; }
  // Whether a majority has been heard within an election timeout (C07).
  [[nodiscard]] bool HasMajority(Instant now) const;
  [[nodiscard]] Instant deadline() const { return heartbeat_deadline_; }
  [[nodiscard]] size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  // This replica is no voter any more, and that is committed.
  [[nodiscard]] bool IsRemoved() const;
  // Of a follower; null for anybody else.
  [[nodiscard]] const Progress* ProgressOf(const RaftIdentity& who) const;
  // nullopt: not heard in this leadership, or no follower.
  [[nodiscard]] std::optional<Duration> SilenceOf(const RaftIdentity& who, Instant now) const;
  void CheckInvariants() const;

 private:
  struct Peer {
    RaftIdentity identity;
    Progress progress;
    Instant heard_at;         // a new leader gives everybody a whole timeout
    bool heard = false;       // in this leadership
    uint64_t read_round = 0;  // the greatest round that it has answered
    std::optional<SnapshotSender> snapshot;
  };

  Peer* Find(const RaftIdentity& who);
  [[nodiscard]] const Peer* Find(const RaftIdentity& who) const;
  // One peer for each voter and for whoever joins, but this replica; those that stay keep theirs.
  // `next`: the first entry that a new one may lack, as a guess.
  void SyncPeers(LogIndex next, Instant now);
  // Whether the one that joins may count from now on.
  [[nodiscard]] bool JoinerIsCaughtUp(Instant now) const;
  // One value for each voter: `own` for this replica, if it is one.
  template <typename T, typename OfPeer>
  [[nodiscard]] std::vector<T> OfVoters(T own, OfPeer of_peer) const;
  // What this replica has durably, and what the other voters have.
  [[nodiscard]] LogIndex DurableOnMajority() const;
  void OnAppendResponse(Peer& peer, const message::RaftMessage& message, Instant now);
  void OnHeartbeatResponse(Peer& peer, const message::RaftMessage& message, Instant now);
  void OnSnapshotResponse(Peer& peer, const message::RaftMessage& message, Instant now);
  // Sends what the peer's window takes; falls back to the snapshot.
  void Replicate(Peer& peer, Instant now);
  // One APPEND behind next - 1. False when that entry is compacted away (the snapshot goes then).
  bool SendAppend(Peer& peer, bool with_entries, Instant now);
  void SendSnapshotChunk(Peer& peer, Instant now);
  void SendHeartbeats();
  void MaybeStartReadRound();
  void CountReadRounds();
  void MaybeCommit();

  ReplicaState* replica_;
  std::vector<Peer> peers_;  // in the order of the voters, who joins last
  LogIndex term_start_index_;
  Instant heartbeat_deadline_;
  ReadIndexQueue reads_;
  size_t uncommitted_bytes_ = 0;
};

template <typename T, typename OfPeer>
std::vector<T> Leader::OfVoters(T own, OfPeer of_peer) const {
  const VoterSet& voters = replica_->voters();
  std::vector<T> values;
  if (replica_->IsVoter() || IsPlanted(PlantedBug::kRemovedLeaderCountsItself)) {
    values.push_back(own);
  }
  for (const Peer& peer : peers_) {
    if (voters.Contains(peer.identity)) values.push_back(of_peer(peer));
  }
  return values;
}

}  // namespace quipu
