// A classic group of the simulation: its members, what happens to them, and its checkers. At times
// a member of the other group protocol comes for a while, beside them or in their place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/classic/sim_classic.h"
#include "tests/simulation/sim_consumer.h"
#include "tests/simulation/swarm/swarm.h"

namespace quipu::sim {

class SimClassicGroup {
 public:
  SimClassicGroup(Cluster& cluster, const PartitionChecker& partitions, ClientHistory& history)
      : ports_{cluster, partitions, group_, classic_, history},
        group_(partitions),
        classic_(kGroup) {}

  // Takes lines of the trace from now on.
  void SetTrace(std::function<void(const std::string&)> say) { ports_.say = std::move(say); }
  // Makes the members and starts them. The topic is there.
  void Start(const SwarmOptions& drawn, const std::string& topic);
  // What the nemesis does to it; false: it could not.
  bool Strike(Fault fault);
  // Nobody says anything until then.
  void Silence(Instant until);
  [[nodiscard]] static const char* group_id() { return kGroup; }
  // Everybody is back, but for one that stays away for good in some runs.
  void Heal();
  // Batches of the coordinator's log, in the order of the log, once they are committed.
  void OnCommitted(const std::vector<StoredBatch>& batches);
  // Adds what is still open: every member is in, they own each partition once and have read all.
  void CheckSettled(std::string& open) const;

  [[nodiscard]] std::vector<NodeId> nodes() const;
  [[nodiscard]] const GroupCounters& group_counters() const { return group_.counters(); }
  // What happened to it, by name.
  void AddTo(std::map<std::string, uint64_t>& coverage) const;

 private:
  static constexpr char kGroup[] = "classics";

  [[nodiscard]] World& world() const { return ports_.cluster.world(); }
  std::unique_ptr<SimClassic>& Pick();
  void Add(std::unique_ptr<SimClassic> member);
  void StartLater(SimClassic& member, Duration most);
  // Nobody has the member's place any more: it is not started again.
  [[nodiscard]] bool IsRetired(const SimClassic& member) const;
  bool Duplicate();
  // All members go, each in its way, and none comes before Open.
  void Close();
  void Open();
  bool Delete();
  void AskForDeletion(uint64_t left);
  bool Move();
  void CheckPosition(int32_t index, Offset end, std::string& open) const;

  SimClassic::Ports ports_;
  GroupChecker group_;
  ClassicChecker classic_;
  std::string topic_;
  int64_t brokers_ = 0;
  bool one_goes_ = false;
  std::vector<std::unique_ptr<SimClassic>> members_;
  std::vector<std::unique_ptr<SimClassic>> duplicated_;  // run until they are fenced
  std::vector<std::unique_ptr<SimConsumer>> visitors_;   // of the other protocol; the last may run
  const SimClassic* gone_ = nullptr;                     // stays away for good
  ProcessPtr operator_;
  bool open_ = true;
};

}  // namespace quipu::sim
