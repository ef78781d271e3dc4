#include "tests/simulation/nemesis.h"

#include <string>

namespace quipu::sim {

Nemesis::Nemesis(Cluster& cluster, std::vector<std::unique_ptr<SimProducer>>& producers,
                 std::vector<std::unique_ptr<SimConsumer>>& consumers, NemesisOptions options)
    : cluster_(cluster),
      world_(cluster.world()),
      producers_(producers),
      consumers_(consumers),
      options_(options) {
  cluster_.on_sync = [this](NodeId node, Duration time) { OnSync(node, time); };
  cluster_.on_raft_sync = [this](SimController& voter, const RaftWrite& write, Duration time) {
    OnRaftSync(voter, write, time);
  };
}

void Nemesis::Run(Instant until) {
  until_ = until;
  *active_ = true;
  if (options_.total() > 0) ScheduleNext();
}

void Nemesis::ScheduleNext() {
  world_.After(world_.Between(options_.interval_min, options_.interval_max), nullptr, "nemesis",
               [this, active = active_] {
                 if (!*active || world_.now() >= until_) return;
                 Strike();
                 ScheduleNext();
               });
}

void Nemesis::Strike() {
  auto draw = static_cast<int>(world_.rng().Below(static_cast<uint64_t>(options_.total())));
  const auto hit = [&draw](int weight) {
    draw -= weight;
    return draw < 0;
  };
  if (hit(options_.crash_broker)) return CrashBroker(Pick(cluster_.brokers()), kDownMax);
  if (hit(options_.crash_controller))
    return CrashController(Pick(cluster_.controllers()), kDownMax);
  if (hit(options_.crash_producer)) return CrashProducer();
  if (hit(options_.crash_consumer)) return CrashConsumer();
  if (hit(options_.pause_consumer)) return PauseConsumer();
  if (hit(options_.pause)) return Pause();
  if (hit(options_.cut_pair)) return Cut(/*one_way=*/false);
  if (hit(options_.cut_one_way)) return Cut(/*one_way=*/true);
  if (hit(options_.isolate)) return Isolate();
  if (hit(options_.crash_in_sync)) return ArmCrashInSync();
  if (hit(options_.contest_election)) return ContestElection();
  if (hit(options_.strand_leader)) return StrandLeader();
  if (hit(options_.bounce_joiner)) return BounceJoiner();
  ++counters_.whole_cluster_crashes;
  for (auto& broker : cluster_.brokers()) CrashBroker(*broker, kDownMax);
}

void Nemesis::ArmCrashInSync() {
  std::vector<NodeId> machines;
  for (auto& controller : cluster_.controllers())
    machines.push_back(ControllerNodeId(controller->id()));
  for (auto& broker : cluster_.brokers()) machines.push_back(BrokerNodeId(broker->id()));
  armed_ = machines[world_.rng().Below(machines.size())];
  armed_until_ = world_.now() + std::chrono::seconds(3);
}

void Nemesis::OnSync(NodeId node, Duration time) {
  if (!*active_ || node != armed_ || world_.now() > armed_until_) return;
  armed_ = 0;
  world_.After(world_.Between(Duration(0), time), nullptr, "crash-in-sync",
               [this, node, active = active_] {
                 if (!*active) return;
                 ++counters_.crashes_in_sync;
                 for (auto& controller : cluster_.controllers()) {
                   if (ControllerNodeId(controller->id()) == node) {
                     CrashController(*controller, kShortDownMax);
                   }
                 }
                 for (auto& broker : cluster_.brokers()) {
                   if (BrokerNodeId(broker->id()) == node) CrashBroker(*broker, kShortDownMax);
                 }
               });
}

void Nemesis::CrashBroker(SimBroker& broker, Duration down_max) {
  if (!broker.running()) return;
  ++counters_.broker_crashes;
  world_.Note("crash broker " + broker.id().ToString());
  broker.Crash();
  world_.After(world_.Between(std::chrono::milliseconds(1), down_max), nullptr, "restart",
               [this, &broker] {
                 if (broker.running()) return;
                 world_.Note("restart broker " + broker.id().ToString());
                 broker.Start();
               });
}

void Nemesis::CrashController(SimController& controller, Duration down_max) {
  if (!controller.running()) return;
  ++counters_.controller_crashes;
  world_.Note("crash controller " + controller.id().ToString());
  controller.Crash();
  world_.After(world_.Between(std::chrono::milliseconds(1), down_max), nullptr, "restart",
               [this, &controller] {
                 if (controller.running()) return;
                 world_.Note("restart controller " + controller.id().ToString());
                 controller.Start();
               });
}

void Nemesis::CrashProducer() {
  if (producers_.empty()) return;
  SimProducer& producer = Pick(producers_);
  if (!producer.running()) return;
  ++counters_.producer_crashes;
  world_.Note("crash producer");
  producer.Crash();
  world_.After(world_.Between(std::chrono::milliseconds(1), std::chrono::milliseconds(1000)),
               nullptr, "restart", [&producer] {
                 if (!producer.running()) producer.Start();
               });
}

void Nemesis::CrashConsumer() {
  if (consumers_.empty()) return;
  SimConsumer& consumer = Pick(consumers_);
  if (!consumer.running()) return;
  ++counters_.consumer_crashes;
  world_.Note("crash consumer");
  consumer.Crash();
  world_.After(world_.Between(std::chrono::milliseconds(1), std::chrono::milliseconds(1000)),
               nullptr, "restart", [&consumer] {
                 if (!consumer.running()) consumer.Start();
               });
}

void Nemesis::PauseConsumer() {
  if (consumers_.empty()) return;
  const ProcessPtr process = Pick(consumers_).process();
  if (process == nullptr) return;
  ++counters_.pauses;
  world_.Note("pause " + process->name());
  process->PauseUntil(world_.now() + world_.Between(std::chrono::milliseconds(50),
                                                    std::chrono::milliseconds(6000)));
}

void Nemesis::Pause() {
  ++counters_.pauses;
  const Instant until =
      world_.now() + world_.Between(std::chrono::milliseconds(50), std::chrono::milliseconds(6000));
  const bool broker = world_.rng().Chance(2, 3);
  const ProcessPtr process =
      broker ? Pick(cluster_.brokers()).process() : Pick(cluster_.controllers()).process();
  if (process == nullptr) return;
  world_.Note("pause " + process->name());
  process->PauseUntil(until);
}

std::vector<NodeId> Nemesis::Nodes() const {
  std::vector<NodeId> nodes;
  for (auto& controller : cluster_.controllers())
    nodes.push_back(ControllerNodeId(controller->id()));
  for (auto& broker : cluster_.brokers()) nodes.push_back(BrokerNodeId(broker->id()));
  for (size_t i = 0; i < producers_.size(); ++i) nodes.push_back(ClientNodeId(static_cast<int>(i)));
  return nodes;
}

void Nemesis::Cut(bool one_way) {
  const std::vector<NodeId> nodes = Nodes();
  const NodeId a = nodes[world_.rng().Below(nodes.size())];
  const NodeId b = nodes[world_.rng().Below(nodes.size())];
  if (a == b) return;
  world_.Note("cut " + std::to_string(a) + (one_way ? " -> " : " <-> ") + std::to_string(b));
  cluster_.network().Cut(a, b);
  if (one_way) {
    ++counters_.one_way_cuts;
  } else {
    ++counters_.cuts;
    cluster_.network().Cut(b, a);
  }
  HealLater();
}

void Nemesis::Isolate() {
  const std::vector<NodeId> nodes = Nodes();
  IsolateNode(nodes[world_.rng().Below(nodes.size())]);
}

void Nemesis::IsolateNode(NodeId victim) {
  ++counters_.isolations;
  world_.Note("isolate " + std::to_string(victim));
  for (const NodeId other : Nodes()) {
    if (other == victim) continue;
    cluster_.network().Cut(victim, other);
    cluster_.network().Cut(other, victim);
  }
  HealLater();
}

void Nemesis::HealLater(Duration min) {
  world_.After(world_.Between(min, std::chrono::milliseconds(5000)), nullptr, "heal",
               [this, active = active_] {
                 if (!*active) return;
                 world_.Note("heal");
                 cluster_.network().Heal();
               });
}

void Nemesis::HealAll() {
  *active_ = false;
  world_.Note("heal all");
  // Pauses end by themselves: to cut one short would let what comes now overtake what waits.
  cluster_.network().Heal();
  NetworkOptions& network = cluster_.network().options();
  network.datagram_loss = 0;
  network.datagram_duplicate = 0;
  network.long_delay = 0;
  network.stream_break = 0;
  for (auto& controller : cluster_.controllers()) {
    if (!controller->running()) controller->Start();
  }
  for (auto& broker : cluster_.brokers()) {
    if (!broker->running()) broker->Start();
  }
  for (auto& producer : producers_) {
    if (!producer->running()) producer->Start();
  }
  for (auto& consumer : consumers_) {
    if (!consumer->running()) consumer->Start();
  }
}

}  // namespace quipu::sim
