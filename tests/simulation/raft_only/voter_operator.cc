#include "tests/simulation/raft_only/voter_operator.h"

#include <utility>

namespace quipu::sim {
namespace {

constexpr int kMachinesMax = 7;

}  // namespace

int VoterOperator::Step(bool calm) {
  if (calm) resizes = false;
  const int leader = Leader();
  if (lost_) {
    if (leader != 0) Replace(leader);
    return 0;
  }
  if (leader == 0 || calm) return 0;
  if (replaces && rng_.Chance(1, 4)) return LoseDisk(leader);
  if (resizes) Resize(leader);
  return 0;
}

bool VoterOperator::IsDone() { return !lost_.has_value(); }

int VoterOperator::Leader() {
  for (const int id : cluster_.Ids()) {
    if (!cluster_.IsUp(id)) continue;
    const RaftCore& core = *cluster_.node(id).core;
    // Of two, the one that does not know yet that it is none any more, as often as not.
    if (core.role() == RaftRole::kLeader && rng_.Chance(1, 2)) return id;
  }
  return 0;
}

// Only when all who count for the leader agree that they do: then nobody else is lost, half removed
// or half admitted.
int VoterOperator::LoseDisk(int leader) {
  const RaftCore& core = *cluster_.node(leader).core;
  const VoterSet agreed = core.voters();
  if (agreed.size() < 3 || agreed.joining() || !core.VotersAreCommitted()) return 0;
  for (const RaftVoter& voter : agreed.members()) {
    const int id = voter.identity.id.value();
    if (cluster_.VoterAt(id) != voter || !cluster_.IsUp(id)) return 0;
    if (cluster_.node(id).core->voters() != agreed) return 0;
  }
  const RaftVoter voter = agreed.members()[rng_.Below(agreed.size())];
  lost_ = voter.identity;
  ++counters_.lost_disks;
  const int id = voter.identity.id.value();
  if (trace) trace("the disk of " + std::to_string(id) + " is lost");
  cluster_.Wipe(id);
  return id;
}

void VoterOperator::Replace(int leader) {
  const RaftCore& core = *cluster_.node(leader).core;
  const VoterSet voters = core.voters();
  const RaftVoter now = cluster_.VoterAt(lost_->id.value());
  if (voters.Contains(now.identity)) {
    if (core.IsReadyLeader() && core.VotersAreCommitted()) lost_.reset();
    return;
  }
  if (!voters.IsJoining(now.identity)) {
    if (Ask(leader, voters.WithJoining(now))) ++counters_.joined;
  } else if (voters.FindId(lost_->id) != nullptr) {
    const Progress* progress = core.ProgressOf(now.identity);
    if (progress == nullptr || progress->match() < core.commit_index()) return;
    if (Ask(leader, voters.WithoutVoter(*lost_))) ++counters_.removed;
  } else if (Ask(leader, voters.WithJoinedVoter())) {
    ++counters_.admitted;
  }
}

void VoterOperator::Resize(int leader) {
  const RaftCore& core = *cluster_.node(leader).core;
  const VoterSet voters = core.voters();
  // Of one that has just been elected a removal is asked: it has to refuse for now (C05).
  if (voters.size() > 1 && (!core.IsReadyLeader() || rng_.Chance(1, 4))) {
    const RaftIdentity who = voters.members()[rng_.Below(voters.size())].identity;
    if (!Ask(leader, voters.WithoutVoter(who))) return;
    ++counters_.removed;
    if (who.id.value() == leader) ++counters_.leaders_removed;
    return;
  }
  if (voters.joining()) {
    if (rng_.Chance(1, 10)) {
      if (Ask(leader, voters.WithJoining(std::nullopt))) ++counters_.cancelled;
    } else if (voters.size() < kVotersMax &&
               voters.FindId(voters.joining()->identity.id) == nullptr) {
      if (Ask(leader, voters.WithJoinedVoter())) ++counters_.admitted;
    }
    return;
  }
  const int candidate = static_cast<int>(rng_.Between(1, kMachinesMax));
  if (!cluster_.Has(candidate)) cluster_.AddObserver(candidate);
  if (voters.FindId(ControllerId(candidate)) != nullptr) return;
  if (Ask(leader, voters.WithJoining(cluster_.VoterAt(candidate)))) ++counters_.joined;
}

bool VoterOperator::Ask(int leader, VoterSet next) {
  const bool done = cluster_.ChangeVoters(leader, std::move(next)).error == ErrorCode::kNone;
  if (!done) ++counters_.refused;
  if (done && on_changed) on_changed(leader);
  return done;
}

}  // namespace quipu::sim
