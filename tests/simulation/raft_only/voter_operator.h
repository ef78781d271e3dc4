// Loses disks for good, and does what an operator does about it; adds and removes voters.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/rng.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu::sim {

struct OperatorCounters {
  uint64_t lost_disks = 0;
  uint64_t joined = 0;
  uint64_t cancelled = 0;
  uint64_t removed = 0;
  uint64_t leaders_removed = 0;
  uint64_t admitted = 0;
  uint64_t refused = 0;
};

// One step at a time, through whatever machine believes that it leads: what it says may be out of
// date, and what was asked of it may never come to be. No disk goes before the last one that went
// is replaced, or what was acknowledged could really be lost.
class VoterOperator {
 public:
  // Both outlive the operator.
  VoterOperator(RaftCluster& cluster, Rng& rng) : cluster_(cluster), rng_(rng) {}

  bool replaces = false;  // disks are lost and voters replaced
  bool resizes = false;   // voters come and go
  // This leader has appended a configuration.
  std::function<void(int leader)> on_changed;
  std::function<void(const std::string& line)> trace;

  // `calm`: nothing new is begun, what is begun is ended. The machine whose disk was lost, or 0.
  int Step(bool calm);
  // No lost voter is left in the quorum.
  [[nodiscard]] bool IsDone();
  [[nodiscard]] const OperatorCounters& counters() const { return counters_; }

 private:
  // A machine that leads by its own account and may change the voters; 0: none.
  int Leader();
  int LoseDisk(int leader);
  void Replace(int leader);
  void Resize(int leader);
  bool Ask(int leader, VoterSet next);

  RaftCluster& cluster_;
  Rng& rng_;
  OperatorCounters counters_;
  std::optional<RaftIdentity> lost_;  // the voter to be replaced
};

}  // namespace quipu::sim
