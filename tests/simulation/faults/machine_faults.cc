// Nemesis: machines that live on and are not well.
#include <string>

#include "tests/simulation/nemesis.h"

namespace quipu::sim {

void Nemesis::PauseProcess(const ProcessPtr& process, Fault fault) {
  if (process == nullptr) return;
  Count(fault);
  world_.Note("pause " + process->name());
  process->PauseUntil(world_.now() + world_.Between(std::chrono::milliseconds(50),
                                                    std::chrono::milliseconds(6000)));
}

void Nemesis::PauseConsumer() {
  if (!consumers_.empty()) PauseProcess(Pick(consumers_).process(), Fault::kPauseConsumer);
}

void Nemesis::Pause() {
  const bool broker = world_.rng().Chance(2, 3);
  PauseProcess(broker ? Pick(cluster_.brokers()).process() : Pick(cluster_.controllers()).process(),
               Fault::kPause);
}

void Nemesis::JumpClock() {
  const ProcessPtr process = PickMachine().process();
  Count(Fault::kClockJump);
  const int64_t ms = world_.rng().Between(-3600 * 1000, 3600 * 1000);
  world_.Note("clock of " + process->name() + " jumps to " + std::to_string(ms) + " ms");
  process->set_wall_skew_ms(ms);
}

void Nemesis::SkewClock() {
  const ProcessPtr process = PickMachine().process();
  Count(Fault::kClockSkew);
  const int64_t rate = world_.rng().Between(900, 1100);
  world_.Note("clock of " + process->name() + " goes at " + std::to_string(rate) + "/1000");
  process->SetClockRate(rate);
  Later(world_.Between(std::chrono::seconds(1), std::chrono::seconds(10)), "clock-again",
        [process] { process->SetClockRate(1000); });
}

void Nemesis::SlowNode() {
  const Machine machine = PickMachine();
  Count(Fault::kSlowNode);
  const Instant until =
      world_.now() + world_.Between(std::chrono::milliseconds(200), std::chrono::seconds(5));
  const Duration extra =
      world_.Between(std::chrono::milliseconds(1), std::chrono::milliseconds(60));
  world_.Note("slow " + machine.process()->name() + " by up to " + std::to_string(ToMillis(extra)) +
              " ms");
  machine.process()->SlowUntil(until, extra);
  for (const NodeId other : Nodes()) {
    if (other == machine.node()) continue;
    cluster_.network().Slow(machine.node(), other, extra, until);
    cluster_.network().Slow(other, machine.node(), extra, until);
  }
}

void Nemesis::SlowConsumer() {
  if (consumers_.empty()) return;
  const uint64_t number = world_.rng().Below(consumers_.size());
  Count(Fault::kSlowConsumer);
  world_.Note("slow consumer " + std::to_string(number));
  const Duration extra = world_.Between(std::chrono::milliseconds(500), std::chrono::seconds(5));
  const Instant until =
      world_.now() + world_.Between(std::chrono::seconds(1), std::chrono::seconds(6));
  for (auto& broker : cluster_.brokers()) {
    cluster_.network().Slow(consumers_[number]->node(), BrokerNodeId(broker->id()), extra, until);
  }
}

void Nemesis::FailDisk(Fault fault, DiskFault disk_fault) {
  const Machine machine = PickMachine();
  if (!machine.running()) return;
  Count(fault);
  world_.Note(std::string(FaultName(fault)) + " of " + machine.process()->name());
  machine.Arm(disk_fault);
}

void Nemesis::StallDisk() {
  // A controller that follows writes little.
  SimController* leader = world_.rng().Chance(1, 4) ? Leader() : nullptr;
  const Machine machine = leader == nullptr ? PickMachine() : Machine{.controller = leader};
  Count(Fault::kStall);
  const DiskStall::Options limits = cluster_.options().disk_stall;
  const Duration time = world_.Between(limits.shed / 2, limits.exit * 3 / 2);
  world_.Note("the disk of " + machine.process()->name() + " stalls for " +
              std::to_string(ToMillis(time)) + " ms");
  machine.StallDisk(world_.now() + time);
}

// A broker below its soft mark refuses produce; at times not even that saves it (ENOSPC).
void Nemesis::FillDisk() {
  SimBroker& broker = Pick(cluster_.brokers());
  Count(Fault::kDiskFull);
  world_.Note("disk full of broker " + broker.id().ToString());
  broker.set_disk_free_bytes(0);
  if (world_.rng().Chance(1, 4)) broker.Arm(DiskFault::kWriteError);
  Later(world_.Between(std::chrono::milliseconds(200), std::chrono::seconds(5)), "disk-has-space",
        [&broker] { broker.set_disk_free_bytes(kDiskFreeBytes); });
}

}  // namespace quipu::sim
