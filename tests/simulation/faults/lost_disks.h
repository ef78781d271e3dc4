// Takes disks away: an empty one, an older one, one that has lost its synced end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/faults/damage.h"
#include "tests/simulation/swarm/faults.h"

namespace quipu::sim {

struct DiskNemesisCounters {
  uint64_t empty_disks = 0;
  uint64_t rolled_back = 0;
  uint64_t lost_tails = 0;
  uint64_t lost_watermarks = 0;
  uint64_t lost_directories = 0;
  uint64_t crashes_unclean = 0;  // between an unclean registration and its answer
};

// The atlas of faults: a disk is taken only while every partition that its broker may lead has
// another member of ISR or ELR, which is sound, and enough sound copies of each damaged batch are
// elsewhere (DiskDamage); while no other lost disk is unknown to the
// controllers; and only of partitions whose minimum is two or more. So at most
// min.insync.replicas - 1 disks are lossy at once, and each loss is one that the rules notice: what
// was acknowledged has to survive (I25), and everything has to settle without a person.
class DiskNemesis {
 public:
  DiskNemesis(Cluster& cluster, PartitionChecker& checker, const DiskDamage& damage)
      : cluster_(cluster), world_(cluster.world()), checker_(checker), damage_(damage) {}

  // One of the four kinds, on a broker drawn now; nothing when the atlas does not allow it.
  void Strike(Fault fault);
  // No more faults; whoever is down stays down.
  void Stop() { *active_ = false; }
  // A broker is about to say this to its controller.
  void OnControlSent(BrokerId sender, const message::BrokerToController& message);
  [[nodiscard]] const DiskNemesisCounters& counters() const { return counters_; }

 private:
  void EmptyDisk(SimBroker& broker);
  void LoseTail(SimBroker& broker);
  // A power loss takes names that were not synced into their directory: that of the watermark
  // file, or (while the broker registers) all that is in a directory that was formatted just now.
  void LoseEntry(SimBroker& broker);
  void LoseNewDirectory(SimBroker& broker);
  // Copies the disk, lets the broker live on under a newer epoch, and brings the copy back.
  void RollBack(SimBroker& broker);
  void AwaitNewerEpoch(SimBroker& broker, std::shared_ptr<BrokerDisk> copy, int tries);
  // `again`: what was lost before may have been of the same broker.
  [[nodiscard]] bool MayLose(BrokerId broker, bool again = false) const;
  // The broker is down and has its new disk.
  void Lost(SimBroker& broker, const std::string& what, Duration down_max);
  void RestartLater(SimBroker& broker, Duration down_max);
  void After(Duration delay, std::function<void()> work);

  Cluster& cluster_;
  World& world_;
  PartitionChecker& checker_;
  const DiskDamage& damage_;
  DiskNemesisCounters counters_;
  std::map<BrokerId, bool> strike_again_;  // crash it when it registers
  std::set<BrokerId> new_directories_;     // lose them when they register
  std::shared_ptr<bool> active_ = std::make_shared<bool>(true);
};

}  // namespace quipu::sim
