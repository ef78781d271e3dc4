// A follower: takes entries and snapshots from the leader of its term.
#pragma once

#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "core/raft/replica_state.h"
#include "core/raft/snapshot_transfer.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Raft 5.2 and 5.3. Answers name only what is durable here, since every answer waits for the
// writes before it.
class Follower {
 public:
  // `replica` outlives the role. Knows of no leader yet and waits until `election_deadline`.
  Follower(ReplicaState& replica, Instant election_deadline);

  // APPEND, HEARTBEAT and INSTALL_SNAPSHOT of the leader of this term; anything else is ignored.
  void OnMessage(message::RaftMessage message, Instant now);
  // The leader of this term says that it leads no more: the election need not wait for a time-out.
  // Pre-votes and votes are given as ever.
  void OnResigned(const message::RaftMessage& message, Instant now);
  // kToPreCandidate when nobody leads for too long; an observer goes on waiting.
  Transition OnTime(Instant now);
  // A vote was given away: its receiver gets a whole timeout to win (Raft 5.2).
  void OnVoteGranted(Instant now) { RestartElectionTimer(now); }
  // Whether a leader has been heard within the shortest election timeout: then nobody gets a vote
  // or a pre-vote from here (thesis 4.2.3, C07).
  [[nodiscard]] bool LeaderIsAlive(Instant now) const;

  [[nodiscard]] ControllerId leader() const { return leader_; }
  [[nodiscard]] Instant deadline() const { return election_deadline_; }

 private:
  void HearLeader(ControllerId leader, Instant now);
  void RestartElectionTimer(Instant now);
  void OnAppend(message::RaftMessage message);
  void OnHeartbeat(const message::RaftMessage& message);
  void OnInstallSnapshot(const message::RaftMessage& message);
  void Accept(const RaftIdentity& leader, LogIndex match);

  ReplicaState* replica_;
  ControllerId leader_ = kNoController;
  std::optional<Instant> heard_leader_at_;
  Instant election_deadline_;
  SnapshotReceiver receiver_;
};

}  // namespace quipu
