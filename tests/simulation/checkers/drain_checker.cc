#include "tests/simulation/checkers/drain_checker.h"

#include <algorithm>
#include <string>

#include "core/metadata/leader_selector.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

// Could do the work of one that is drained: there, well, and not drained itself.
bool IsWilling(const MetadataImage& image, BrokerId broker) {
  const BrokerImage* known = image.FindBroker(broker);
  return known != nullptr && !known->fenced && !known->in_controlled_shutdown &&
         !known->disk_stalled && !known->draining();
}

bool IsDraining(const MetadataImage& image, BrokerId broker) {
  const BrokerImage* known = image.FindBroker(broker);
  return known != nullptr && known->draining();
}

// Drained, and nothing else is the matter with it that would take it out of an ISR (D6: a stall).
bool IsOnlyDraining(const MetadataImage& before, const MetadataImage& after, BrokerId broker) {
  const BrokerImage* old_state = before.FindBroker(broker);
  const BrokerImage* new_state = after.FindBroker(broker);
  return old_state != nullptr && new_state != nullptr && old_state->epoch == new_state->epoch &&
         new_state->draining() && !new_state->fenced && !new_state->in_controlled_shutdown &&
         !new_state->disk_stalled;
}

bool IsInAnIsr(const MetadataImage& image, BrokerId broker) {
  return std::any_of(image.partitions().begin(), image.partitions().end(),
                     [&](const auto& entry) { return Contains(entry.second.isr, broker); });
}

}  // namespace

void DrainChecker::OnImage(const MetadataImage& before, const MetadataImage& after) {
  const bool is_next = after.index() == before.index() + 1;
  for (const auto& [id, broker] : after.brokers()) {
    if (broker.drain != record::DRAIN_STOP) {
      left_all_.erase(id);
      continue;
    }
    bool& left_all = left_all_.try_emplace(id, false).first->second;
    left_all |= !is_next || !IsInAnIsr(after, id);
  }
}

void DrainChecker::OnPartition(const MetadataImage& before, const MetadataImage& after,
                               const PartitionImage& old_state, const PartitionImage& new_state,
                               bool by_leader, size_t min_isr) {
  const auto name = [&] { return "partition " + new_state.uid.ToString(); };
  if (new_state.leader != old_state.leader && new_state.leader != kNoBroker) {
    const bool other = std::any_of(new_state.isr.begin(), new_state.isr.end(),
                                   [&](BrokerId member) { return IsWilling(after, member); });
    Require(!other || !IsDraining(after, new_state.leader), "I34", [&] {
      return name() + ": broker " + new_state.leader.ToString() +
             " was made its leader while it is drained and another member could lead";
    });
    leaders_moved_ += IsDraining(after, old_state.leader) ? 1 : 0;
  }
  if (by_leader || old_state.isr.size() < min_isr || new_state.isr.size() >= min_isr) return;
  for (const BrokerId member : old_state.isr) {
    Require(Contains(new_state.isr, member) || !IsOnlyDraining(before, after, member), "I34", [&] {
      return name() + ": the drain of broker " + member.ToString() + " left an ISR of " +
             std::to_string(new_state.isr.size()) + ", below the minimum";
    });
  }
}

void DrainChecker::OnToldToStop(BrokerId broker, const MetadataImage& image) {
  ++told_to_stop_;
  const auto known = left_all_.find(broker);
  const bool left = known == left_all_.end() || known->second || !IsInAnIsr(image, broker);
  Require(left, "I34", [&] {
    return "broker " + broker.ToString() + " is told that it is drained, and is in an ISR still";
  });
}

}  // namespace quipu::sim
