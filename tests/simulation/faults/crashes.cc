// Nemesis: processes that die.
#include <string>

#include "tests/simulation/nemesis.h"

namespace quipu::sim {
namespace {

constexpr size_t kDuplicatesMax = 20;  // of one run
constexpr int kFirstDuplicate = 10;    // numbers of their own

}  // namespace

void Nemesis::CrashBroker(SimBroker& broker, Duration down_max) {
  CrashMachine({.controller = nullptr, .broker = &broker}, down_max);
}

void Nemesis::CrashController(SimController& controller, Duration down_max) {
  CrashMachine({.controller = &controller, .broker = nullptr}, down_max);
}

void Nemesis::CrashMachine(const Machine& machine, Duration down_max) {
  if (!machine.running()) return;
  Count(machine.broker != nullptr ? Fault::kCrashBroker : Fault::kCrashController);
  world_.Note("crash " + machine.process()->name());
  if (machine.broker != nullptr) {
    machine.broker->Crash();
  } else {
    machine.controller->Crash();
  }
  if (*active_) RestartLater(machine, down_max);
}

void Nemesis::RestartLater(const Machine& machine, Duration down_max) {
  const Duration down = world_.Between(std::chrono::milliseconds(1), down_max);
  // After the fault phase too: a stall or a pause that outlasts it may end a process.
  world_.After(down, nullptr, "restart", [this, machine] {
    if (!machine.running() && !IsAway(machine.node())) Restart(machine);
  });
}

void Nemesis::Restart(const Machine& machine) {
  world_.Note("restart " + machine.process()->name());
  if (machine.broker != nullptr) return machine.broker->Start();
  machine.controller->Start();
}

void Nemesis::CrashAllBrokers() {
  Count(Fault::kCrashAllBrokers);
  for (auto& broker : cluster_.brokers()) CrashBroker(*broker, kDownMax);
}

void Nemesis::ArmCrashInSync() {
  armed_ = PickMachine().node();
  armed_until_ = world_.now() + std::chrono::seconds(3);
}

void Nemesis::OnSync(NodeId node, Duration time) {
  if (!*active_ || node != armed_ || world_.now() > armed_until_) return;
  armed_ = 0;
  Later(world_.Between(Duration(0), time), "crash-in-sync", [this, node] {
    Count(Fault::kCrashInSync);
    for (const Machine& machine : Machines()) {
      if (machine.node() == node) CrashMachine(machine, kShortDownMax);
    }
  });
}

void Nemesis::RestartStorm() {
  Count(Fault::kRestartStorm);
  const Machine machine = PickMachine();
  world_.Note("restart storm of " + std::to_string(machine.node()));
  StormStep(machine, 3 + world_.rng().Below(6));
}

void Nemesis::StormStep(const Machine& machine, uint64_t left) {
  if (left == 0) return;
  CrashMachine(machine, kShortDownMax);
  Later(world_.Between(std::chrono::milliseconds(20), std::chrono::milliseconds(700)), "storm",
        [this, machine, left] { StormStep(machine, left - 1); });
}

void Nemesis::CrashProducer() {
  if (producers_.empty()) return;
  SimProducer& producer = Pick(producers_);
  if (!producer.running()) return;
  Count(Fault::kCrashProducer);
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
  Count(Fault::kCrashConsumer);
  world_.Note("crash consumer");
  consumer.Crash();
  world_.After(world_.Between(std::chrono::milliseconds(1), std::chrono::milliseconds(1000)),
               nullptr, "restart", [&consumer] {
                 if (!consumer.running()) consumer.Start();
               });
}

void Nemesis::DuplicateConsumer() {
  if (consumers_.empty() || duplicated_.size() >= kDuplicatesMax) return;
  std::unique_ptr<SimConsumer>& place = consumers_[world_.rng().Below(consumers_.size())];
  if (!place->running()) return;
  Count(Fault::kDuplicateConsumer);
  world_.Note("duplicate consumer " + place->process()->name());
  // What hangs is taken for dead: it goes on behind the other.
  if (world_.rng().Chance(2, 3)) {
    const Duration hang =
        world_.Between(std::chrono::milliseconds(300), std::chrono::milliseconds(3000));
    place->process()->PauseUntil(world_.now() + hang);
  }
  place->Retire();
  duplicated_.push_back(std::move(place));
  place = duplicated_.back()->MakeDuplicate(kFirstDuplicate + static_cast<int>(duplicated_.size()));
  place->Start();
}

}  // namespace quipu::sim
