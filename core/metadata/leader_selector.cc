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

bool LeaderSelector::IsWilling(BrokerId broker) const {
  if (!IsHealthy(broker) || broker == assumed_draining_) return false;
  const BrokerImage* found = image_.FindBroker(broker);
  return found == nullptr || !found->draining() || IsPlanted(PlantedBug::kDrainingBrokerLeads);
}

BrokerId LeaderSelector::FirstOf(const PartitionImage& partition,
                                 const std::vector<BrokerId>& members) const {
  for (const auto may_lead :
       {&LeaderSelector::IsWilling, &LeaderSelector::IsHealthy, &LeaderSelector::IsActive}) {
    for (const BrokerId replica : partition.replicas) {
      if (Contains(members, replica) && (this->*may_lead)(replica)) return replica;
    }
  }
  return kNoBroker;
}

LeaderChoice LeaderSelector::Select(const PartitionImage& partition,
                                    const std::vector<BrokerId>& isr,
                                    const std::vector<BrokerId>& elr) const {
  const BrokerId in_sync = FirstOf(partition, isr);
  if (in_sync != kNoBroker) return {.leader = in_sync};
  const BrokerId eligible = FirstOf(partition, elr);
  if (eligible != kNoBroker) return {.leader = eligible, .from_elr = true};
  for (const BrokerId replica : partition.replicas) {
    if (!IsPlanted(PlantedBug::kUncleanElection)) break;
    if (IsActive(replica)) return {.leader = replica, .from_elr = true};
  }
  return {};
}

}  // namespace quipu
