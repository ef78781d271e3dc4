// Nemesis: networks in pieces.
#include <string>

#include "tests/simulation/nemesis.h"

namespace quipu::sim {

void Nemesis::CutBothWays(NodeId a, NodeId b) {
  cluster_.network().Cut(a, b);
  cluster_.network().Cut(b, a);
}

void Nemesis::Cut(bool one_way) {
  const std::vector<NodeId> nodes = Nodes();
  const NodeId a = nodes[world_.rng().Below(nodes.size())];
  const NodeId b = nodes[world_.rng().Below(nodes.size())];
  if (a == b) return;
  world_.Note("cut " + std::to_string(a) + (one_way ? " -> " : " <-> ") + std::to_string(b));
  Count(one_way ? Fault::kCutOneWay : Fault::kCutPair);
  cluster_.network().Cut(a, b);
  if (!one_way) cluster_.network().Cut(b, a);
  HealLater();
}

void Nemesis::Split() {
  Count(Fault::kSplit);
  std::vector<NodeId> sides[2];
  for (const NodeId node : Nodes()) sides[world_.rng().Below(2)].push_back(node);
  std::string text = "split off";
  for (const NodeId node : sides[0]) text += ' ' + std::to_string(node);
  world_.Note(text);
  for (const NodeId a : sides[0]) {
    for (const NodeId b : sides[1]) CutBothWays(a, b);
  }
  HealLater();
}

void Nemesis::PartialPartition() {
  Count(Fault::kPartialPartition);
  const NodeId victim = PickMachine().node();
  std::string text = "partial partition of " + std::to_string(victim) + " from";
  for (const NodeId other : Nodes()) {
    if (other == victim || world_.rng().Chance(1, 2)) continue;
    text += ' ' + std::to_string(other);
    CutBothWays(victim, other);
  }
  world_.Note(text);
  HealLater();
}

void Nemesis::Isolate() {
  const std::vector<NodeId> nodes = Nodes();
  IsolateNode(nodes[world_.rng().Below(nodes.size())]);
}

void Nemesis::IsolateNode(NodeId victim) {
  Count(Fault::kIsolate);
  world_.Note("isolate " + std::to_string(victim));
  for (const NodeId other : Nodes()) {
    if (other != victim) CutBothWays(victim, other);
  }
  HealLater();
}

void Nemesis::IsolateLeader() {
  MetadataImagePtr image;
  for (auto& broker : cluster_.brokers()) {
    if (!broker->running()) continue;
    const MetadataImagePtr known = broker->node()->inspector().image();
    if (known != nullptr && (image == nullptr || known->index() > image->index())) image = known;
  }
  if (image == nullptr) return;
  std::vector<BrokerId> leaders;
  for (const auto& [uid, partition] : image->partitions()) {
    if (partition.leader != kNoBroker) leaders.push_back(partition.leader);
  }
  if (leaders.empty()) return;
  const BrokerId leader = leaders[world_.rng().Below(leaders.size())];
  const NodeId node = BrokerNodeId(leader);
  // Which others it loses; clients still reach it.
  const uint64_t draw = world_.rng().Below(3);
  const char* from = draw == 0 ? "the controllers" : draw == 1 ? "the brokers" : "both";
  Count(Fault::kIsolateLeader);
  world_.Note("isolate leader " + leader.ToString() + " from " + from);
  for (const Machine& machine : Machines()) {
    if (machine.node() == node || draw == (machine.controller != nullptr ? 1U : 0U)) continue;
    CutBothWays(node, machine.node());
  }
  HealLater();
}

void Nemesis::HealLater(Duration min) {
  Later(world_.Between(min, std::chrono::milliseconds(5000)), "heal", [this] {
    world_.Note("heal");
    cluster_.network().Heal();
  });
}

}  // namespace quipu::sim
