#include "tests/simulation/raft_only/short_leaders.h"

#include <vector>

namespace quipu::sim {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kReignMaxMs = 150;
constexpr uint64_t kReachedMax = 2;  // with the leader itself a majority of five
constexpr auto kPatience = milliseconds(2000);

}  // namespace

void ShortLeaders::Adjust(RaftOptions& options) {
  options.election_timeout = milliseconds(150);
  options.heartbeat_interval = milliseconds(50);
  options.append_bytes_max = 1;
  options.in_flight_appends_max = 1;
}

int ShortLeaders::NewLeader() {
  for (const int id : ports_.cluster.Ids()) {
    if (!ports_.cluster.IsUp(id)) continue;
    const RaftCore& core = *ports_.cluster.node(id).core;
    if (core.role() == RaftRole::kLeader && core.term() > seen_) return id;
  }
  return 0;
}

void ShortLeaders::Begin(int leader) {
  RaftCluster& cluster = ports_.cluster;
  leader_ = leader;
  seen_ = cluster.node(leader).core->term();
  ends_ = cluster.now + milliseconds(ports_.rng.Between(0, kReignMaxMs));
  std::vector<int> others = cluster.Ids();
  std::erase(others, leader);
  std::set<int> reached;
  for (uint64_t left = ports_.rng.Below(kReachedMax + 1); left > 0; --left) {
    reached.insert(others[ports_.rng.Below(others.size())]);
  }
  ports_.cut.clear();
  for (const int id : others) {
    if (!reached.contains(id)) ports_.cut.insert({leader, id});
  }
}

void ShortLeaders::End() {
  ++reigns_;
  ports_.cut.clear();
  ports_.crash(leader_);
  RestartAll();
  leader_ = 0;
  ends_ = ports_.cluster.now + kPatience;
}

// All but the one that is dying now.
void ShortLeaders::RestartAll() {
  for (const int id : ports_.cluster.Ids()) {
    if (id != leader_ && !ports_.cluster.IsUp(id)) ports_.cluster.Restart(id);
  }
}

void ShortLeaders::Step() {
  const int next = NewLeader();
  if (next != 0) {
    Begin(next);
  } else if (leader_ != 0 && ports_.cluster.now >= ends_) {
    End();
  } else if (leader_ == 0 && ports_.cluster.now >= ends_) {
    ports_.cut.clear();
    RestartAll();
    ends_ = ports_.cluster.now + kPatience;
  }
  if (leader_ != 0 && ports_.rng.Chance(1, 3)) ports_.propose(leader_);
}

}  // namespace quipu::sim
