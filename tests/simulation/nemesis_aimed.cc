// Nemesis: faults that wait for their moment, since chance alone brings it about too seldom. What
// comes of it is left to chance and to the product.
#include <algorithm>
#include <string>

#include "core/raft/raft_core.h"
#include "tests/simulation/nemesis.h"

namespace quipu::sim {

SimController* Nemesis::Leader() {
  SimController* leader = nullptr;
  Term term;
  for (auto& controller : cluster_.controllers()) {
    if (!controller->running()) continue;
    const RaftCore& raft = controller->node()->inspector().raft();
    if (raft.role() != RaftRole::kLeader || (leader != nullptr && raft.term() < term)) continue;
    leader = controller.get();
    term = raft.term();
  }
  return leader;
}

void Nemesis::ContestElection() {
  SimController* leader = Leader();
  SimController& voter = Pick(cluster_.controllers());
  contested_voter_ = voter.id();
  contested_until_ = world_.now() + std::chrono::seconds(4);
  world_.Note("contest the vote of controller " + voter.id().ToString());
  if (leader == nullptr || leader == &voter) return;
  if (world_.rng().Chance(1, 2)) return CrashController(*leader, kDownMax);
  IsolateNode(ControllerNodeId(leader->id()));
}

void Nemesis::OnRaftSync(SimController& voter, const RaftWrite& write, Duration time) {
  if (!*active_ || voter.id() != contested_voter_ || world_.now() > contested_until_) return;
  if (!write.hard_state || write.hard_state->voted_for == kNoController) return;
  contested_voter_ = kNoController;
  const ControllerId candidate = write.hard_state->voted_for;
  Later(world_.Between(Duration(0), time), "contest-election", [this, &voter, candidate] {
    Count(Fault::kContestElection);
    CrashController(voter, kShortDownMax);
    if (candidate == voter.id()) return;
    const uint64_t draw = world_.rng().Below(3);
    if (draw == 0) CrashController(*cluster_.FindController(candidate), kDownMax);
    if (draw == 1) IsolateNode(ControllerNodeId(candidate));
  });
}

void Nemesis::StrandLeader() {
  SimController* leader = Leader();
  if (leader == nullptr) return;
  Count(Fault::kStrandLeader);
  const NodeId node = ControllerNodeId(leader->id());
  world_.Note("strand leader " + std::to_string(node));
  for (auto& other : cluster_.controllers()) {
    if (other.get() == leader) continue;
    cluster_.network().Cut(node, ControllerNodeId(other->id()));
    cluster_.network().Cut(ControllerNodeId(other->id()), node);
  }
  // Long enough for the others to elect somebody, as often as not.
  HealLater(std::chrono::milliseconds(1000));
  Later(world_.Between(Duration(0), std::chrono::milliseconds(500)), "strand",
        [this] { CrashBroker(Pick(cluster_.brokers()), kShortDownMax); });
}

void Nemesis::BounceJoiner() {
  bounce_until_ = world_.now() + std::chrono::seconds(5);
  // Somebody has to leave an ISR to join one.
  if (world_.rng().Chance(1, 2)) CrashBroker(Pick(cluster_.brokers()), kDownMax);
}

void Nemesis::OnControlSent(BrokerId sender, const message::BrokerToController& message) {
  if (!*active_ || world_.now() > bounce_until_) return;
  const MetadataImagePtr image = cluster_.FindBroker(sender)->node()->inspector().image();
  if (image == nullptr) return;
  for (const message::IsrChange& change : message.alter_partitions().changes()) {
    const PartitionImage* partition = image->FindPartition(PartitionUid(change.partition_uid()));
    if (partition == nullptr) continue;
    for (const message::IsrMember& member : change.new_isr()) {
      const BrokerId joiner(member.broker_id());
      const auto& isr = partition->isr;
      if (std::find(isr.begin(), isr.end(), joiner) != isr.end()) continue;
      bounce_until_ = Instant{};
      Count(Fault::kBounceJoiner);
      const Duration late = world_.Between(std::chrono::milliseconds(50), std::chrono::seconds(2));
      for (auto& controller : cluster_.controllers()) {
        cluster_.network().Slow(BrokerNodeId(sender), ControllerNodeId(controller->id()), late,
                                world_.now() + late);
      }
      world_.Note("slow broker " + sender.ToString() + ", which proposes " + joiner.ToString());
      Later(world_.Between(Duration(0), std::chrono::milliseconds(20)), "bounce",
            [this, joiner] { CrashBroker(*cluster_.FindBroker(joiner), kShortDownMax); });
      return;
    }
  }
}

}  // namespace quipu::sim
