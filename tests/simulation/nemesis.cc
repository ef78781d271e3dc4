#include "tests/simulation/nemesis.h"

#include <numeric>
#include <string>
#include <utility>

#include "base/check.h"

namespace quipu::sim {

NodeId Nemesis::Machine::node() const {
  return broker != nullptr ? BrokerNodeId(broker->id()) : ControllerNodeId(controller->id());
}
bool Nemesis::Machine::running() const {
  return broker != nullptr ? broker->running() : controller->running();
}
ProcessPtr Nemesis::Machine::process() const {
  return broker != nullptr ? broker->process() : controller->process();
}
void Nemesis::Machine::Arm(DiskFault fault) const {
  if (broker != nullptr) return broker->Arm(fault);
  controller->Arm(fault);
}
void Nemesis::Machine::StallDisk(Instant until) const {
  if (broker != nullptr) return broker->StallDisk(until);
  controller->StallDisk(until);
}

Nemesis::Nemesis(Cluster& cluster, std::vector<std::unique_ptr<SimProducer>>& producers,
                 std::vector<std::unique_ptr<SimConsumer>>& consumers, SimClassicGroup& classic,
                 DiskDamage& damage, Options options)
    : cluster_(cluster),
      world_(cluster.world()),
      producers_(producers),
      consumers_(consumers),
      classic_(classic),
      damage_(damage),
      options_(options),
      lost_voter_(cluster) {
  cluster_.on_sync = [this](NodeId node, Duration time) { OnSync(node, time); };
  cluster_.on_raft_sync = [this](SimController& voter, const RaftWrite& write, Duration time) {
    OnRaftSync(voter, write, time);
  };
  // Whoever ends itself is started again, as its supervisor would.
  cluster_.on_broker_stopped = [this](SimBroker& broker) {
    RestartLater({.controller = nullptr, .broker = &broker}, kDownMax);
  };
  cluster_.on_controller_stopped = [this](SimController& controller) {
    RestartLater({.controller = &controller, .broker = nullptr}, kDownMax);
  };
}

void Nemesis::Run(Instant until) {
  until_ = until;
  *active_ = true;
  const auto& weights = options_.weights;
  if (std::accumulate(weights.begin(), weights.end(), int64_t{0}) > 0) ScheduleNext();
}

void Nemesis::ScheduleNext() {
  const Duration wait = world_.Between(options_.interval / 8, options_.interval * 15 / 8);
  Later(wait, "nemesis", [this] {
    if (world_.now() >= until_) return;
    Strike();
    ScheduleNext();
  });
}

void Nemesis::Later(Duration delay, const char* kind, std::function<void()> work) {
  world_.After(delay, nullptr, kind, [active = active_, work = std::move(work)] {
    if (*active) work();
  });
}

Fault Nemesis::PickFault() {
  const auto& weights = options_.weights;
  const int64_t total = std::accumulate(weights.begin(), weights.end(), int64_t{0});
  int64_t draw = world_.rng().Between(0, total - 1);
  for (size_t i = 0; i < kFaultCount; ++i) {
    draw -= weights[i];
    if (draw < 0) return static_cast<Fault>(i);
  }
  QUIPU_CHECK_MSG(false, "no fault has a weight");
  return Fault::kCrashBroker;
}

void Nemesis::Strike() {
  const Fault fault = PickFault();
  switch (fault) {
    case Fault::kCrashBroker:
      return CrashBroker(Pick(cluster_.brokers()), kDownMax);
    case Fault::kCrashController:
      return CrashController(Pick(cluster_.controllers()), kDownMax);
    case Fault::kCrashProducer:
      return CrashProducer();
    case Fault::kCrashConsumer:
      return CrashConsumer();
    case Fault::kCrashAllBrokers:
      return CrashAllBrokers();
    case Fault::kCrashInSync:
      return ArmCrashInSync();
    case Fault::kRestartStorm:
      return RestartStorm();
    case Fault::kPause:
      return Pause();
    case Fault::kPauseConsumer:
      return PauseConsumer();
    case Fault::kCutPair:
      return Cut(/*one_way=*/false);
    case Fault::kCutOneWay:
      return Cut(/*one_way=*/true);
    case Fault::kSplit:
      return Split();
    case Fault::kPartialPartition:
      return PartialPartition();
    case Fault::kIsolate:
      return Isolate();
    case Fault::kIsolateLeader:
      return IsolateLeader();
    case Fault::kContestElection:
      return ContestElection();
    case Fault::kStrandLeader:
      return StrandLeader();
    case Fault::kBounceJoiner:
      return BounceJoiner();
    case Fault::kClockJump:
      return JumpClock();
    case Fault::kClockSkew:
      return SkewClock();
    case Fault::kSlowNode:
      return SlowNode();
    case Fault::kSlowConsumer:
      return SlowConsumer();
    case Fault::kDrain:
      return Drain();
    case Fault::kDeleteRecords:
      return DeleteRecords();
    case Fault::kAlterConfig:
      return AlterConfig();
    case Fault::kDuplicateConsumer:
      return DuplicateConsumer();
    case Fault::kCrashClassic:
    case Fault::kPauseClassic:
    case Fault::kSlowClassic:
    case Fault::kLeaveClassic:
    case Fault::kRejoinClassic:
    case Fault::kDuplicateClassic:
    case Fault::kDeleteGroup:
    case Fault::kMoveGroup:
      if (classic_.Strike(fault)) Count(fault);
      return;
    default:
      return StrikeDisk(fault);
  }
}

void Nemesis::StrikeDisk(Fault fault) {
  const auto count_if = [&](bool struck) {
    if (struck) Count(fault);
  };
  switch (fault) {
    case Fault::kWriteError:
      return FailDisk(fault, DiskFault::kWriteError);
    case Fault::kSyncError:
      return FailDisk(fault, DiskFault::kSyncError);
    case Fault::kDiskFull:
      return FillDisk();
    case Fault::kStall:
      return StallDisk();
    case Fault::kEmptyDisk:
    case Fault::kRolledBackDisk:
    case Fault::kLostTail:
      return on_disk_fault(fault);
    case Fault::kLostDirectoryEntry:
      if (!lost_voter_.LoseNewDirectory()) on_disk_fault(fault);
      return;
    case Fault::kBitFlip:
      return count_if(damage_.Strike(DiskDamage::Kind::kBitFlip));
    case Fault::kMisdirectedWrite:
      return count_if(damage_.Strike(DiskDamage::Kind::kMisdirectedWrite));
    case Fault::kReplaceVoter:
      return count_if(lost_voter_.Strike());
    case Fault::kRottenRaftEntry:
    case Fault::kRottenRaftSnapshot:
      return count_if(lost_voter_.Rot(fault));
    default:
      QUIPU_CHECK_MSG(false, std::string("nobody strikes with ") + FaultName(fault));
  }
}

std::vector<NodeId> Nemesis::Nodes() const {
  std::vector<NodeId> nodes;
  for (const Machine& machine : Machines()) nodes.push_back(machine.node());
  for (size_t i = 0; i < producers_.size(); ++i) nodes.push_back(ClientNodeId(static_cast<int>(i)));
  for (const NodeId node : classic_.nodes()) nodes.push_back(node);
  return nodes;
}

std::vector<Nemesis::Machine> Nemesis::Machines() const {
  std::vector<Machine> machines;
  for (auto& controller : cluster_.controllers()) {
    machines.push_back({.controller = controller.get(), .broker = nullptr});
  }
  for (auto& broker : cluster_.brokers()) {
    machines.push_back({.controller = nullptr, .broker = broker.get()});
  }
  return machines;
}

Nemesis::Machine Nemesis::PickMachine() {
  const std::vector<Machine> machines = Machines();
  return machines[world_.rng().Below(machines.size())];
}

void Nemesis::HealAll(bool core_only) {
  *active_ = false;
  world_.Note(core_only ? "heal the core" : "heal all");
  // Pauses and stalls end by themselves: to cut one short would let what comes now overtake what
  // waits.
  cluster_.network().Heal();
  NetworkOptions& network = cluster_.network().options();
  network.datagram_loss = 0;
  network.datagram_duplicate = 0;
  network.long_delay = 0;
  network.stream_break = 0;
  if (core_only) {
    std::vector<Machine> away{{.controller = nullptr, .broker = &Pick(cluster_.brokers())}};
    // A single controller is no minority; and while one is lost and not replaced, the others are
    // needed.
    if (cluster_.controllers().size() > 1 && !lost_voter_.open()) {
      away.push_back({.controller = &Pick(cluster_.controllers()), .broker = nullptr});
    }
    for (const Machine& machine : away) {
      away_[machine.node()] = machine;
      world_.Note("stays away: " + std::to_string(machine.node()));
      if (machine.running()) CrashMachine(machine, Duration(0));
    }
  }
  for (const Machine& machine : Machines()) {
    if (machine.broker != nullptr) machine.broker->set_disk_free_bytes(kDiskFreeBytes);
    if (machine.running()) {
      machine.Arm(DiskFault::kNone);
      machine.process()->SetClockRate(1000);
      machine.process()->SlowUntil(Instant{}, Duration(0));
    } else if (!IsAway(machine.node())) {
      Restart(machine);
    }
  }
  for (auto& producer : producers_) {
    if (!producer->running()) producer->Start();
  }
  for (auto& consumer : duplicated_) consumer->Crash();
  for (auto& consumer : consumers_) {
    if (!consumer->running()) consumer->Start();
  }
  classic_.Heal();
}

void Nemesis::ReturnRest() {
  for (const auto& [node, machine] : std::exchange(away_, {})) {
    if (!machine.running()) Restart(machine);
  }
}

}  // namespace quipu::sim
