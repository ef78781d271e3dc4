#include "core/metadata/replica_placer.h"

#include <algorithm>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "base/check.h"

namespace quipu {

ReplicaPlacer::ReplicaPlacer(const MetadataImage& image) {
  absl::btree_map<std::string, std::vector<BrokerId>> racks;
  size_t longest = 0;
  for (const auto& [id, broker] : image.brokers()) {
    if (broker.fenced || broker.in_controlled_shutdown || broker.disk_stalled) continue;
    std::vector<BrokerId>& rack = racks[broker.rack];
    rack.push_back(id);
    longest = std::max(longest, rack.size());
  }
  for (size_t row = 0; row < longest; ++row) {
    for (const auto& [rack, members] : racks) {
      if (row >= members.size()) continue;
      const bool draining = image.FindBroker(members[row])->draining();
      brokers_.push_back({.broker = members[row], .rack = rack, .draining = draining});
    }
  }
}

bool ReplicaPlacer::Has(BrokerId broker) const {
  return std::any_of(brokers_.begin(), brokers_.end(),
                     [broker](const Candidate& candidate) { return candidate.broker == broker; });
}

std::vector<BrokerId> ReplicaPlacer::Place(uint64_t counter, int32_t replication_factor) const {
  const auto wanted = static_cast<size_t>(replication_factor);
  const size_t n = brokers_.size();
  QUIPU_CHECK(replication_factor >= 1 && wanted <= n);
  std::vector<size_t> order;  // the leader, then the others from a start that turns each round
  const size_t first = static_cast<size_t>(counter % n);
  order.push_back(first);
  if (n > 1) {
    const size_t shift = static_cast<size_t>((counter / n) % (n - 1));
    for (size_t j = 0; j + 1 < n; ++j) order.push_back((first + 1 + (shift + j) % (n - 1)) % n);
  }
  std::vector<BrokerId> out;
  // Those that are being drained come last: where the replication factor needs them.
  for (const bool draining : {false, true}) AddRounds(order, draining, wanted, out);
  return out;
}

void ReplicaPlacer::AddRounds(const std::vector<size_t>& order, bool draining, size_t wanted,
                              std::vector<BrokerId>& out) const {
  // Rounds: in each, one replica per rack; brokers without a rack count as a rack each.
  for (size_t before = out.size() + 1; out.size() < wanted && out.size() != before;) {
    before = out.size();
    absl::btree_set<std::string> used;
    for (const size_t position : order) {
      const Candidate& candidate = brokers_[position];
      if (out.size() == wanted) break;
      if (candidate.draining != draining) continue;
      if (std::find(out.begin(), out.end(), candidate.broker) != out.end()) continue;
      if (!candidate.rack.empty() && !used.insert(candidate.rack).second) continue;
      out.push_back(candidate.broker);
    }
  }
}

}  // namespace quipu
