// A whole quorum in one thread, with every checker of the Raft invariants switched on.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/raft/raft_core.h"
#include "tests/unit/core/raft/fake_disk.h"

namespace quipu {

// Replicas numbered from 1, their disks, and the messages between them. Whoever uses it says what
// is delivered, completed, crashed and when; it carries out effects and checks after each step
// that nothing promised by I1 to I13 is broken (QUIPU_INVARIANT, so a violation
// aborts with its name).
class RaftCluster {
 public:
  struct Node {
    RaftOptions options;
    FakeDisk disk;
    std::unique_ptr<RaftCore> core;  // null while crashed
    std::string state;               // state machine: the commands, each followed by a blank
    LogIndex applied;
    uint64_t lives = 0;
    uint64_t disks = 1;     // that it has had
    LogIndex voters_index;  // of the configuration in force after its last step
  };
  struct Read {
    int node = 0;
    LogIndex at_least;  // the highest index committed anywhere when the read was asked for
  };

  struct Counters {
    uint64_t steps = 0;                     // inputs
    uint64_t hash = 0xCBF29CE484222325ULL;  // of everything said
    uint64_t leaders = 0;
    uint64_t truncations = 0;
    uint64_t restores = 0;
    uint64_t voters_rolled_back = 0;  // configurations that were cut off again
  };

  explicit RaftCluster(size_t size, const std::function<void(RaftOptions&)>& adjust = nullptr);

  // ---- inputs ----
  void Step(const message::RaftMessage& message);  // to a live node
  void OnTime(int node);
  void CompleteWrite(int node);
  RaftCore::Proposed Propose(int node, const std::string& data);
  ErrorCode ReadIndex(int node, RaftReadToken token);
  void Compact(int node);
  // Loses all but the first `kept` writes under way.
  void Crash(int node, size_t kept = 0);
  void Restart(int node);
  RaftCore::Proposed ChangeVoters(int node, VoterSet next);
  // The disk is gone for good. The machine comes back at once, at the same address, with the same
  // id and an empty disk of another directory id: as an observer.
  void Wipe(int node);
  // A new machine with an empty disk and the limits of the first, as an observer.
  void AddObserver(int node);

  Instant now{};

  // ---- state ----
  [[nodiscard]] size_t size() const { return nodes_.size(); }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Of all machines, ascending.
  [[nodiscard]] std::vector<int> Ids() const;
  Node& node(int id) { return nodes_.at(id); }
  [[nodiscard]] bool IsUp(int id) const { return nodes_.at(id).core != nullptr; }
  [[nodiscard]] bool Has(int id) const { return nodes_.contains(id); }
  // The machine's present identity.
  [[nodiscard]] RaftVoter VoterAt(int id) const { return {nodes_.at(id).options.self, ""}; }
  // Messages that have left and not arrived; the user takes them out.
  std::deque<message::RaftMessage> network;
  // A line for each thing that happens, when set.
  std::function<void(const std::string& line)> trace;
  // Answered reads.
  std::map<RaftReadToken, RaftReadAnswer> answers;
  // Index -> entry, of everything any node has ever taken as committed.
  [[nodiscard]] const std::map<LogIndex, message::RaftEntry>& committed() const {
    return committed_;
  }

 private:
  void Carry(int id, RaftEffects effects);
  void CheckPersistedBeforeSpoken(const Node& node, const message::RaftMessage& message) const;
  void CheckCommitted(int id, const message::RaftEntry& entry);
  void CheckAll(int id);
  void CheckLogsMatch(const Node& a, const Node& b) const;
  void CheckVote(const message::RaftMessage& message);
  void CheckQuorumsOverlap() const;
  void Count(const Node& node, const RaftEffects& effects);
  // Null: nobody ever had this identity.
  [[nodiscard]] const FakeDisk* DiskOf(const RaftIdentity& who) const;
  void Trace(const std::string& line) const {
    if (trace) trace(line);
  }

  std::map<int, Node> nodes_;
  std::map<LogIndex, message::RaftEntry> committed_;
  std::map<LogIndex, Term> committed_in_;  // the term of the leader that did
  std::map<Term, int> leaders_;            // over all of history [I1]
  std::map<RaftReadToken, Read> reads_;
  std::map<std::pair<DirectoryId, uint64_t>, RaftIdentity> votes_;  // by voter and term [I3]
  bool voters_changed_ = false;
  // Disks that are gone. What they held they did acknowledge.
  std::map<DirectoryId, FakeDisk> lost_disks_;
  Counters counters_;
};

// One line for each thing, for traces and golden files.
std::string Describe(const message::RaftMessage& message);
std::string Describe(const message::RaftEntry& entry);
std::string Describe(const RaftWrite& write);
// "1,2',3 joining 4": an apostrophe for each disk that the machine had before.
std::string Describe(const VoterSet& voters);
const char* RoleName(RaftRole role);

}  // namespace quipu
