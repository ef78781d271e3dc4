#include "core/metadata/leader_selector.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace quipu {

bool Contains(const std::vector<BrokerId>& brokers, BrokerId broker) {
  return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

bool LeaderSelector::IsActive(BrokerId broker) const {
  const auto it = assumed_.find(broker);
  if (it != assumed_.end()) return it->second;
  const BrokerImage* found = image_.FindBroker(broker);
  return found != nullptr && !found->fenced && !found->in_controlled_shutdown;
}

bool LeaderSelector::IsHealthy(BrokerId broker) const {
  if (!IsActive(broker)) return false;
  const auto it = assumed_stalled_.find(broker);
  if (it != assumed_stalled_.end()) return !it->second;
  const BrokerImage* found = image_.FindBroker(broker);
  return found == nullptr || !found->disk_stalled;
}

LeaderChoice LeaderSelector::Select(const PartitionImage& partition,
                                    const std::vector<BrokerId>& isr,
                                    const std::vector<BrokerId>& elr) const {
  for (const BrokerId replica : partition.replicas) {
    if (Contains(isr, replica) && IsHealthy(replica)) return {.leader = replica};
  }
  for (const BrokerId replica : partition.replicas) {
    if (Contains(isr, replica) && IsActive(replica)) return {.leader = replica};
  }
  for (const BrokerId replica : partition.replicas) {
    if (Contains(elr, replica) && IsHealthy(replica)) return {.leader = replica, .from_elr = true};
  }
  for (const BrokerId replica : partition.replicas) {
    if (Contains(elr, replica) && IsActive(replica)) return {.leader = replica, .from_elr = true};
  }
  for (const BrokerId replica : partition.replicas) {
    if (!IsPlanted(PlantedBug::kUncleanElection)) break;
    if (IsActive(replica)) return {.leader = replica, .from_elr = true};
  }
  return {};
}

}  // namespace quipu
