// Breaks things: crashes, pauses and partitions, by a schedule drawn from the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/simulation/sim_consumer.h"
#include "tests/simulation/sim_producer.h"

namespace quipu::sim {

inline constexpr Duration kDownMax = std::chrono::milliseconds(4000);
// After a crash in the middle of something: what the others heard before it still matters then.
inline constexpr Duration kShortDownMax = std::chrono::milliseconds(150);

// Which faults a run may see, and how often; drawn per seed (swarm testing: each seed has its own
// mix, so that faults that hide each other are also seen alone).
struct NemesisOptions {
  Duration interval_min = std::chrono::milliseconds(100);
  Duration interval_max = std::chrono::milliseconds(1500);
  int crash_broker = 0;  // weights
  int crash_controller = 0;
  int crash_producer = 0;
  int pause = 0;
  int cut_pair = 0;
  int cut_one_way = 0;
  int isolate = 0;
  int crash_all_brokers = 0;
  int crash_consumer = 0;
  int pause_consumer = 0;
  int crash_in_sync = 0;  // of any machine, between a write and the news that it is durable
  // Faults that wait for their moment (nemesis_aimed.cc).
  int contest_election = 0;
  int strand_leader = 0;
  int bounce_joiner = 0;
  [[nodiscard]] int total() const {
    return crash_broker + crash_controller + crash_producer + pause + cut_pair + cut_one_way +
           isolate + crash_all_brokers + crash_in_sync + crash_consumer + pause_consumer +
           contest_election + strand_leader + bounce_joiner;
  }
};

struct NemesisCounters {
  uint64_t broker_crashes = 0;
  uint64_t controller_crashes = 0;
  uint64_t producer_crashes = 0;
  uint64_t pauses = 0;
  uint64_t cuts = 0;
  uint64_t one_way_cuts = 0;
  uint64_t isolations = 0;
  uint64_t whole_cluster_crashes = 0;
  uint64_t crashes_in_sync = 0;
  uint64_t consumer_crashes = 0;
  uint64_t contested_elections = 0;
  uint64_t stranded_leaders = 0;
  uint64_t bounced_joiners = 0;
};

class Nemesis {
 public:
  Nemesis(Cluster& cluster, std::vector<std::unique_ptr<SimProducer>>& producers,
          std::vector<std::unique_ptr<SimConsumer>>& consumers, NemesisOptions options);

  // Faults from now until `until`.
  void Run(Instant until);
  // Ends every fault: heals the network and restarts what is down.
  void HealAll();
  // A broker is about to say this to its controller.
  void OnControlSent(BrokerId sender, const message::BrokerToController& message);
  [[nodiscard]] const NemesisCounters& counters() const { return counters_; }

 private:
  void ScheduleNext();
  void Strike();
  void CrashBroker(SimBroker& broker, Duration down_max);
  void CrashController(SimController& controller, Duration down_max);
  // Waits for a sync of a machine drawn now.
  void ArmCrashInSync();
  void OnSync(NodeId node, Duration time);
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
  void CrashProducer();
  void CrashConsumer();
  void PauseConsumer();
  void Pause();
  void Cut(bool one_way);
  void Isolate();
  void IsolateNode(NodeId victim);
  [[nodiscard]] std::vector<NodeId> Nodes() const;
  template <typename T>
  T& Pick(std::vector<std::unique_ptr<T>>& machines) {
    return *machines[world_.rng().Below(machines.size())];
  }
  // nullptr: nobody leads, as far as the controllers know themselves.
  [[nodiscard]] SimController* Leader();
  void HealLater(Duration min = std::chrono::milliseconds(100));

  Cluster& cluster_;
  World& world_;
  std::vector<std::unique_ptr<SimProducer>>& producers_;
  std::vector<std::unique_ptr<SimConsumer>>& consumers_;
  NemesisOptions options_;
  NemesisCounters counters_;
  Instant until_{};
  // The machine whose next sync is interrupted, if it comes in time; 0: none.
  NodeId armed_ = 0;
  Instant armed_until_{};
  ControllerId contested_voter_ = kNoController;  // kNoController: none
  Instant contested_until_{};
  Instant bounce_until_{};
  // False: the fault phase is over, and its heals do nothing.
  std::shared_ptr<bool> active_ = std::make_shared<bool>(false);
};

}  // namespace quipu::sim
