// The Raft invariants I1-I4, I7-I9, I11 and I12, checked over all controllers after each step of
// one and at each write.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/cluster.h"

namespace quipu::sim {

struct RaftCounters {
  uint64_t leader_changes = 0;
  uint64_t truncations = 0;
  uint64_t snapshots_installed = 0;
  uint64_t resigned_stalled = 0;  // leaders that gave up their term while their disk stalled
};

class RaftChecker {
 public:
  explicit RaftChecker(Cluster& cluster) : cluster_(cluster) {}
  void AfterStep(SimController& controller);
  // A controller hands its disk a write: what it cuts (I9) and what takes its place (I12).
  void OnWrite(SimController& controller, const RaftWrite& write);
  // A message left a controller: a vote that was spoken counts for ever (I3).
  void OnSent(const message::RaftMessage& message);
  [[nodiscard]] const RaftCounters& counters() const { return counters_; }

 private:
  struct Entry {
    uint64_t term = 0;
    uint64_t hash = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  // What a controller looked like at its last step; kept across restarts.
  struct Seen {
    uint64_t incarnation = 0;
    uint64_t term = 0;
    uint64_t commit = 0;  // of this incarnation
    uint64_t last_index = 0;
    uint64_t snapshot_index = 0;
    uint64_t durable = 0;  // end of what its disk holds, as last reported
    uint64_t kept = 0;     // end of what it knew to be committed and has on its disk
    uint64_t last_term = 0;
    bool leader = false;
    bool pending = false;  // a write waited for the disk
  };
  void CountVote(const RaftIdentity& voter, uint64_t term, const RaftIdentity& candidate);
  void CheckSnapshot(SimController& controller, const RaftWrite& write, uint64_t commit);
  void CheckLogStart(ControllerId id, const RaftCore& raft, const Seen& seen) const;
  void CheckCommitted(ControllerId id, const RaftCore& raft, Seen& seen);
  // I11: of two configurations that may decide, every quorum of one shares a voter with every
  // quorum of the other.
  void CheckQuorumsOverlap();

  Cluster& cluster_;
  std::map<uint64_t, RaftIdentity> leaders_;                        // by term
  std::map<std::pair<DirectoryId, uint64_t>, RaftIdentity> votes_;  // by voter and term
  std::map<uint64_t, Entry> committed_;                             // by index
  std::map<uint64_t, size_t> snapshots_;                            // hash, by last index
  // By directory: a disk that is lost stays as it was last seen, and what it held it did
  // acknowledge.
  std::map<DirectoryId, Seen> seen_;
  bool voters_changed_ = false;
  RaftCounters counters_;
};

}  // namespace quipu::sim
