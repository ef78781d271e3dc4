// Breaks things by a schedule drawn from the seed: crashes, pauses, partitions, bad disks and
// clocks.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/checkers/archive.h"
#include "tests/simulation/classic/sim_classic_group.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/faults/damage.h"
#include "tests/simulation/faults/nemesis_voters.h"
#include "tests/simulation/sim_consumer.h"
#include "tests/simulation/sim_producer.h"
#include "tests/simulation/swarm/faults.h"

namespace quipu::sim {

inline constexpr Duration kDownMax = std::chrono::milliseconds(4000);
// After a crash in the middle of something: what the others heard before it still matters then.
inline constexpr Duration kShortDownMax = std::chrono::milliseconds(150);

class Nemesis {
 public:
  struct Options {
    std::string topic;
    Duration interval{};     // between two strikes, on average
    FaultNumbers weights{};  // how often each fault is picked
  };
  Nemesis(Cluster& cluster, std::vector<std::unique_ptr<SimProducer>>& producers,
          std::vector<std::unique_ptr<SimConsumer>>& consumers, SimClassicGroup& classic,
          DiskDamage& damage, Options options);

  // Faults from now until `until`.
  void Run(Instant until);
  // Ends every fault: heals the network, the disks and the clocks, and restarts what is down. With
  // `core_only` one controller and one broker stay away until ReturnRest.
  void HealAll(bool core_only);
  void ReturnRest();
  // Controllers and brokers that HealAll has left away.
  [[nodiscard]] bool IsAway(NodeId node) const { return node != 0 && away_.contains(node); }
  // Takes a disk away; set before Run.
  std::function<void(Fault)> on_disk_fault;
  // A broker is about to say this to its controller.
  void OnControlSent(BrokerId sender, const message::BrokerToController& message);
  [[nodiscard]] const LostVoter& lost_voter() const { return lost_voter_; }
  // What operators have deleted, for those who read the logs at the end.
  [[nodiscard]] const Archive& archive() const { return archive_; }
  // The values of compression.type that operators have asked for.
  [[nodiscard]] const std::set<std::string>& compression_types() const {
    return compression_types_;
  }
  // How often each fault has struck.
  [[nodiscard]] const std::array<uint64_t, kFaultCount>& counters() const { return counters_; }

 private:
  // A machine that can die, whichever kind it is.
  struct Machine {
    SimController* controller = nullptr;
    SimBroker* broker = nullptr;
    [[nodiscard]] NodeId node() const;
    [[nodiscard]] bool running() const;
    [[nodiscard]] ProcessPtr process() const;
    void Arm(DiskFault fault) const;
    void StallDisk(Instant until) const;
  };

  void ScheduleNext();
  void Strike();
  void StrikeDisk(Fault fault);
  [[nodiscard]] Fault PickFault();
  void Count(Fault fault) { ++counters_[static_cast<size_t>(fault)]; }
  // Does `work` after `delay`, unless the fault phase is over by then.
  void Later(Duration delay, const char* kind, std::function<void()> work);

  // ---- faults/crashes.cc ----
  void CrashBroker(SimBroker& broker, Duration down_max);
  void CrashController(SimController& controller, Duration down_max);
  void CrashMachine(const Machine& machine, Duration down_max);
  void RestartLater(const Machine& machine, Duration down_max);
  void Restart(const Machine& machine);
  // Waits for a sync of a machine drawn now.
  void ArmCrashInSync();
  void OnSync(NodeId node, Duration time);
  void CrashProducer();
  void CrashConsumer();
  // A static member's process is started a second time while the first still runs.
  void DuplicateConsumer();
  void CrashAllBrokers();
  // One machine crashes again and again, each time soon after its start.
  void RestartStorm();
  void StormStep(const Machine& machine, uint64_t left);

  // ---- faults/machine_faults.cc ----
  void PauseConsumer();
  void Pause();
  void PauseProcess(const ProcessPtr& process, Fault fault);
  void JumpClock();  // wall time, by an hour at most
  void SkewClock();  // the monotonic clock goes up to a tenth too fast or too slow for a while
  void SlowNode();
  // All that a member says is late by its own draw: a commit may overtake the heartbeats, or come
  // when the member has been removed.
  void SlowConsumer();
  void FailDisk(Fault fault, DiskFault disk_fault);
  void FillDisk();
  // No write of a machine ends for a while: at times for longer than it takes to give leadership
  // away (quipu.disk.stall.shed.ms), at times for longer than the process waits (...exit.ms).
  void StallDisk();

  // ---- faults/cuts.cc ----
  void Cut(bool one_way);
  void CutBothWays(NodeId a, NodeId b);
  void Split();             // everybody is on one of two sides
  void PartialPartition();  // a node loses some of the others, who see each other
  void Isolate();
  void IsolateNode(NodeId victim);
  // The leader of a partition loses the controllers, the other brokers or both, not the clients.
  void IsolateLeader();
  void HealLater(Duration min = std::chrono::milliseconds(100));

  // ---- faults/operators.cc ----
  // A broker is drained for maintenance and comes back, is drained to be stopped, or stops in order
  // without being asked by the controllers.
  void Drain();
  void AskDrain(BrokerId broker, record::Drain drain);
  // Asks any broker; `done`: counted when the answer is good.
  void Ask(const message::AdminRequest& request, std::optional<Fault> done);
  [[nodiscard]] const ProcessPtr& Operator();
  // After the fault phase: ends each drain that is still in force, some of which may have been
  // under way for long.
  void EndDrains();
  void DeleteRecords();
  void DeleteRecordsNow();
  // The topic gets another compression.type while producers are at work.
  void AlterConfig();

  // ---- nemesis_aimed.cc ----
  // The leader of the controllers goes, and the next vote of a voter drawn now is interrupted in
  // its sync; its candidate may go too.
  void ContestElection();
  void OnRaftSync(SimController& voter, const RaftWrite& write, Duration time);
  // The leader of the controllers loses the other voters, not the brokers, some of which have news
  // for it.
  void StrandLeader();
  // Waits for a leader that proposes to take a broker into an ISR: the proposal is late, and the
  // broker has restarted by then.
  void BounceJoiner();
  // nullptr: nobody leads, as far as the controllers know themselves.
  [[nodiscard]] SimController* Leader();

  [[nodiscard]] std::vector<NodeId> Nodes() const;
  [[nodiscard]] std::vector<Machine> Machines() const;
  [[nodiscard]] Machine PickMachine();
  template <typename T>
  T& Pick(std::vector<std::unique_ptr<T>>& machines) {
    return *machines[world_.rng().Below(machines.size())];
  }

  Cluster& cluster_;
  World& world_;
  std::vector<std::unique_ptr<SimProducer>>& producers_;
  std::vector<std::unique_ptr<SimConsumer>>& consumers_;
  std::vector<std::unique_ptr<SimConsumer>> duplicated_;  // run until they are fenced
  SimClassicGroup& classic_;
  DiskDamage& damage_;
  Options options_;
  std::array<uint64_t, kFaultCount> counters_{};
  Instant until_{};
  // The machine whose next sync is interrupted, if it comes in time; 0: none.
  NodeId armed_ = 0;
  Instant armed_until_{};
  ControllerId contested_voter_ = kNoController;  // kNoController: none
  Instant contested_until_{};
  Instant bounce_until_{};
  std::map<NodeId, Machine> away_;
  LostVoter lost_voter_;
  Archive archive_;
  std::set<std::string> compression_types_;
  ProcessPtr operator_;  // nullptr: nothing was asked yet
  bool ends_drains_ = false;
  // False: the fault phase is over, and its heals do nothing.
  std::shared_ptr<bool> active_ = std::make_shared<bool>(false);
};

}  // namespace quipu::sim
