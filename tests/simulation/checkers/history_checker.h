// What the applications were told against what the logs hold in the end: I25, I40, I41, I42.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/simulation/checkers/archive.h"
#include "tests/simulation/checkers/group_checker.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/sim_producer.h"

namespace quipu::sim {

struct HistoryCounters {
  uint64_t acknowledged = 0;
  uint64_t unknown = 0;
  uint64_t unknown_present = 0;
  uint64_t refused = 0;
};

// Reads the committed log of every partition of `topic` from its leader's disk and checks it. Call
// when the cluster has settled. Throws a Violation. `archive`: what was deleted of them. `auditor`,
// if given, reads along: a reader for a run that has no consumers.
HistoryCounters CheckHistory(Cluster& cluster, const MetadataImage& image, const std::string& topic,
                             const std::vector<std::unique_ptr<SimProducer>>& producers,
                             const GroupChecker& group, const Archive& archive,
                             ClientHistory* auditor);

}  // namespace quipu::sim
