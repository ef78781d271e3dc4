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
// that nothing promised by I1 to I10, I12 and I13 is broken (QUIPU_INVARIANT, so a violation
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
  };
  struct Read {
    int node = 0;
    LogIndex at_least;  // the highest index committed anywhere when the read was asked for
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

  Instant now{};

  // ---- state ----
  [[nodiscard]] size_t size() const { return nodes_.size(); }
  Node& node(int id) { return nodes_.at(id); }
  [[nodiscard]] bool IsUp(int id) const { return nodes_.at(id).core != nullptr; }
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
  void Trace(const std::string& line) const {
    if (trace) trace(line);
  }

  std::map<int, Node> nodes_;
  std::map<LogIndex, message::RaftEntry> committed_;
  std::map<Term, int> leaders_;  // over all of history [I1]
  std::map<RaftReadToken, Read> reads_;
};

// One line for each thing, for traces and golden files.
std::string Describe(const message::RaftMessage& message);
std::string Describe(const message::RaftEntry& entry);
std::string Describe(const RaftWrite& write);
const char* RoleName(RaftRole role);

}  // namespace quipu
