// Leaders that reach few of the others and die soon: Figure 8 of the Raft paper (5.4.2).
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>

#include "base/rng.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu::sim {

// An entry of an older term may lie on a majority and be overwritten all the same, when the leader
// that carried it there died before an entry of its own term was on a majority too. Random crashes
// hardly ever come to that: it takes three leaders in a row, each of whom reaches a few of the
// others.
class ShortLeaders {
 public:
  struct Ports {
    RaftCluster& cluster;
    Rng& rng;
    std::set<std::pair<int, int>>& cut;  // ways on which nothing goes, from and to
    std::function<void(int)> crash;
    std::function<void(int)> propose;
  };
  explicit ShortLeaders(Ports ports) : ports_(std::move(ports)) {}

  // Many elections, and one entry after the other: the own one only when the older is answered.
  static void Adjust(RaftOptions& options);
  // Call before time passes.
  void Step();
  // Leaders that have died.
  [[nodiscard]] uint64_t reigns() const { return reigns_; }

 private:
  // A machine that leads and was not seen leading yet; 0: none.
  int NewLeader();
  void Begin(int leader);
  void End();
  void RestartAll();

  Ports ports_;
  int leader_ = 0;  // 0: none is known
  Term seen_;       // of the last one
  Instant ends_{};  // it dies then; without one: all are started again then
  uint64_t reigns_ = 0;
};

}  // namespace quipu::sim
