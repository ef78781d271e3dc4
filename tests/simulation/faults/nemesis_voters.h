// A controller whose disk is gone for good, and the operator who replaces it.
#pragma once

#include <cstdint>
#include <optional>

#include "core/raft/raft_types.h"
#include "proto/message/admin.pb.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/swarm/faults.h"

namespace quipu::sim {

// The machine comes back with the same node id and an empty disk of another directory id, as an
// observer. The operator asks any broker for its replacement, again and again, whatever else goes
// on, until the quorum names the new directory as a voter. One at a time: with a second disk lost
// before that, what was acknowledged could really be gone.
class LostVoter {
 public:
  // `cluster` outlives it.
  explicit LostVoter(Cluster& cluster) : cluster_(cluster) {}

  // A controller drawn now loses its disk. False: the last one is not replaced yet.
  bool Strike();
  // A bit flips on the disk of a controller drawn now, in its log or in its snapshot, and its
  // process dies within 3 s. It refuses to start then; its operator formats a new directory, and
  // goes on as above. False: there was nothing to damage, or another voter is lost.
  bool Rot(Fault fault);
  // Rotten disks with which a controller refused to start.
  [[nodiscard]] uint64_t rot_refused() const { return rot_refused_; }
  // A power loss takes the names in the directory that was formatted last, if its replacement is
  // not done: it is empty again and formatted anew. False: there is none.
  bool LoseNewDirectory();
  [[nodiscard]] uint64_t directories_lost() const { return directories_lost_; }
  // A disk is lost or rotten and its voter not replaced.
  [[nodiscard]] bool open() const { return lost_ || rotten_; }
  [[nodiscard]] uint64_t replaced() const { return replaced_; }

 private:
  // The process dies within 3 s and starts again.
  void AwaitRefusal(SimController& victim);
  // Looks at a machine with a rotten disk until it is refused, or has started without the rot.
  void WatchRot();
  void Lose(SimController& victim);
  void StartLater(SimController& controller);
  // Once or twice a second, until it is done.
  void Operate();
  void Ask();
  void OnQuorum(const message::DescribeQuorumResult& quorum);

  Cluster& cluster_;
  std::optional<RaftIdentity> lost_;  // the new identity of who is to be replaced
  struct Rotten {
    SimController* controller;
    uint64_t incarnation;  // in which it rotted
  };
  std::optional<Rotten> rotten_;
  bool ask_for_status_ = false;
  uint64_t replaced_ = 0;
  uint64_t directories_lost_ = 0;
  uint64_t rot_refused_ = 0;
  ProcessPtr operator_;
};

}  // namespace quipu::sim
