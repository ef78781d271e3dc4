#include "core/metadata/partition_changes.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {
namespace {

// Those of ISR and ELR that stay eligible when `isr` becomes the ISR, in the order of replicas.
std::vector<BrokerId> EligibleBeside(const PartitionImage& partition,
                                     const std::vector<BrokerId>& isr, int32_t min_isr,
                                     BrokerId lost) {
  std::vector<BrokerId> out;
  const bool full = static_cast<int32_t>(isr.size()) >= min_isr;
  if (full && !IsPlanted(PlantedBug::kElrNotCleared)) return out;
  if (IsPlanted(PlantedBug::kElrNotKept)) return out;
  for (const BrokerId replica : partition.replicas) {
    const bool was =
        Contains(partition.elr, replica) || (!full && Contains(partition.isr, replica));
    if (replica == lost && !IsPlanted(PlantedBug::kUncleanKeptInElr)) continue;
    if (was && !Contains(isr, replica)) out.push_back(replica);
  }
  return out;
}

std::vector<BrokerId> WithoutStalled(std::vector<BrokerId> isr, const LeaderSelector& selector) {
  const auto healthy = [&selector](BrokerId member) { return selector.IsHealthy(member); };
  if (!std::any_of(isr.begin(), isr.end(), healthy)) return isr;
  std::erase_if(isr,
                [&](BrokerId member) { return selector.IsActive(member) && !healthy(member); });
  return isr;
}

}  // namespace

std::optional<record::PartitionChange> ChangeIsr(const PartitionImage& partition,
                                                 const std::vector<BrokerId>& target_isr,
                                                 int32_t min_isr, const LeaderSelector& selector,
                                                 BrokerId lost) {
  QUIPU_CHECK(min_isr >= 1);
  QUIPU_CHECK(!Contains(target_isr, lost));
  std::vector<BrokerId> isr = WithoutStalled(target_isr, selector);
  std::vector<BrokerId> elr = EligibleBeside(partition, isr, min_isr, lost);
  BrokerId leader = partition.leader;
  const bool stays = leader != kNoBroker && Contains(isr, leader) && selector.IsActive(leader);
  if (!stays) {
    const LeaderChoice choice = selector.Select(partition, isr, elr);
    leader = choice.leader;
    if (choice.from_elr) {
      isr.assign(1, leader);
      elr = EligibleBeside(partition, isr, min_isr, lost);
    }
  }
  record::PartitionChange change;
  change.set_partition_uid(partition.uid.value());
  if (leader != partition.leader) change.set_leader(leader.value());
  if (isr != partition.isr) {
    change.set_isr_changed(true);
    for (const BrokerId member : isr) change.add_isr(member.value());
  }
  if (elr != partition.elr) {
    change.set_elr_changed(true);
    for (const BrokerId member : elr) change.add_elr(member.value());
  }
  if (!change.has_leader() && !change.isr_changed() && !change.elr_changed()) return std::nullopt;
  return change;
}

record::PartitionChange ChangeLeader(const PartitionImage& partition, BrokerId leader) {
  QUIPU_INVARIANT("I31", Contains(partition.isr, leader));
  record::PartitionChange change;
  change.set_partition_uid(partition.uid.value());
  change.set_leader(leader.value());
  return change;
}

record::PartitionChange RecoverUnclean(const PartitionImage& partition, BrokerId leader) {
  QUIPU_INVARIANT("I31", partition.isr.empty() && partition.elr.empty());
  QUIPU_INVARIANT("I31", Contains(partition.replicas, leader));
  record::PartitionChange change;
  change.set_partition_uid(partition.uid.value());
  change.set_leader(leader.value());
  change.set_isr_changed(true);
  change.add_isr(leader.value());
  change.set_unclean(true);
  return change;
}

}  // namespace quipu
