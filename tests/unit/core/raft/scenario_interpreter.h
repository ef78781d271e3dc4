// Runs a golden scenario: commands in, a readable account of what the quorum did out.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu {

// Nothing happens but what a command says; time stands still in between.
//
//   cluster N [chunk=B] [append-bytes=B] [in-flight=N] [proposal-bytes=B]
//   elect N        time passes until N's timer runs out, before any other; then everything settles
//   expire N       N's timer runs out because its clock is fast: no time passes for the others
//   sleep MS       MS milliseconds pass, and no timer runs
//   tick MS        MS milliseconds pass; timers of live nodes that are due run, in order of id
//   propose N data
//   read N token
//   settle         writes complete and messages arrive, first come first served, until it is quiet
//   deliver [A->B | TYPE]   what is under way now (on a link, or of a type) arrives
//   drop [A->B | TYPE]      it is lost instead
//   repeat [A->B | TYPE]    it will arrive twice
//   persist N      the oldest write of N completes
//   hold N         writes of N do not complete by settling; `release N` ends it
//   partition A,B|C,D,E     only nodes of one group reach each other; `heal` ends it
//   cut A B        A and B do not reach each other; `heal` ends it
//   crash N [kept]  N loses all but its first `kept` writes under way
//   restart N
//   compact N
//   machine N      a new machine with an empty disk: an observer
//   wipe N         N's disk is gone; it is back as N' with an empty disk of another directory id
//   voters L join N | cancel | remove N | admit
//                  leader L appends the next configuration: N's machine joins, or nobody does; N is
//                  no voter any more; who joins is one
//   show           one line per node
//   quiet / loud   whether what happens is told
class ScenarioInterpreter {
 public:
  // What the command did, one line each; "?" and the command when it is not understood.
  std::string Run(const std::string& command);

 private:
  bool RunOnCluster(const std::vector<std::string>& words);
  bool RunOnNode(const std::vector<std::string>& words);
  bool MakeCluster(const std::vector<std::string>& words);
  void Expire(int id);
  void Tick(int64_t milliseconds);
  void Settle();
  void Propose(int id, const std::string& data);
  bool ChangeVoters(int id, const std::vector<std::string>& words);
  void Read(int id, RaftReadToken token);
  void Show();
  // Takes the messages under way that match `filter` (all when empty) out of the network.
  std::vector<message::RaftMessage> Take(const std::string& filter);
  void Arrive(const message::RaftMessage& message);
  void Partition(absl::string_view groups);
  [[nodiscard]] bool Reaches(int from, int to) const;
  void Say(const std::string& line);

  std::unique_ptr<RaftCluster> cluster_;
  std::set<int> held_;
  std::set<std::pair<int, int>> cut_;
  std::string output_;
  bool quiet_ = false;
};

// A scenario file: blocks of commands, a line "----", and the expected account up to an empty line.
// Lines that begin with "#" are comments. Gives the file with the account as it really is.
std::string RunScenario(absl::string_view file);

}  // namespace quipu
