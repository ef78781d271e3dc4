// Who leads a partition: the first replica in order that is in the ISR and active, else the first
// active one of the ELR, else nobody (PR2, KIP-966; unclean election is off). Among each, one whose
// disk answers and that is not being drained comes first, then one whose disk answers, then one
// whose disk stalls (D6).
#pragma once

#include <vector>

#include "absl/container/btree_map.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

struct LeaderChoice {
  BrokerId leader = kNoBroker;
  bool from_elr = false;
};

class LeaderSelector {
 public:
  // `image` must outlive the selector.
  explicit LeaderSelector(const MetadataImage& image) : image_(image) {}

  // Treats `broker` as active or not, whatever the image says: for a batch that changes the broker
  // and its partitions at once.
  void Assume(BrokerId broker, bool active) { assumed_[broker] = active; }

  // The same for what a broker says of its disk.
  void AssumeStalled(BrokerId broker, bool stalled) { assumed_stalled_[broker] = stalled; }

  // The same for a drain that begins.
  void AssumeDraining(BrokerId broker) { assumed_draining_ = broker; }

  // Registered, not fenced and not shutting down: only such a broker may lead or be in an ISR.
  [[nodiscard]] bool IsActive(BrokerId broker) const;
  // Active, and its disk answers.
  [[nodiscard]] bool IsHealthy(BrokerId broker) const;
  // Healthy, and not being drained: leaderships are for such brokers.
  [[nodiscard]] bool IsWilling(BrokerId broker) const;

  // Choice among the given sets; the partition gives the order of replicas.
  [[nodiscard]] LeaderChoice Select(const PartitionImage& partition,
                                    const std::vector<BrokerId>& isr,
                                    const std::vector<BrokerId>& elr) const;

 private:
  [[nodiscard]] BrokerId FirstOf(const PartitionImage& partition,
                                 const std::vector<BrokerId>& members) const;

  const MetadataImage& image_;
  absl::btree_map<BrokerId, bool> assumed_;
  absl::btree_map<BrokerId, bool> assumed_stalled_;
  BrokerId assumed_draining_ = kNoBroker;
};

bool Contains(const std::vector<BrokerId>& brokers, BrokerId broker);

}  // namespace quipu
