// Where the replicas of new partitions go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

// Spreads replicas over brokers and racks. Pure and without chance: the place depends on a running
// counter (the partition's uid), so leaders go round robin over all brokers across topics, and two
// controllers with the same image place alike.
class ReplicaPlacer {
 public:
  // Brokers that may hold replicas: those that are active in `image`, in an order that alternates
  // racks.
  explicit ReplicaPlacer(const MetadataImage& image);

  [[nodiscard]] size_t broker_count() const { return brokers_.size(); }
  [[nodiscard]] bool Has(BrokerId broker) const;

  // Replicas for the partition with running number `counter`; the first is the preferred leader.
  // No broker twice; a second replica in one rack only when every rack has one.
  //   replication_factor  1 to broker_count().
  [[nodiscard]] std::vector<BrokerId> Place(uint64_t counter, int32_t replication_factor) const;

 private:
  // Adds those that are being drained, or the others, until `wanted` are there or none is left.
  void AddRounds(const std::vector<size_t>& order, bool draining, size_t wanted,
                 std::vector<BrokerId>& out) const;

  struct Candidate {
    BrokerId broker;
    std::string rack;  // empty: a rack of its own
    bool draining = false;
  };
  std::vector<Candidate> brokers_;
};

}  // namespace quipu
