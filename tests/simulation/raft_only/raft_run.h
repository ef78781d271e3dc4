// One simulated run of a Raft quorum alone, from a seed: no brokers, no hosts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {

struct RaftRunResult {
  uint64_t seed = 0;
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
  std::string options;  // as drawn, for a person
  std::optional<Violation> violation;
  std::map<std::string, uint64_t> coverage;
};

// A RaftCluster, whose checkers look at every step for violations of I1 to I13, through a phase of
// faults and a phase without. In the first: losses, repetitions, reorderings, partitions, crashes,
// slow disks, disks that are gone for good and replaced, voters that come and go. At the end of the
// second every voter has everything that was acknowledged, and every lost voter is replaced. Some
// hundred times cheaper than RunSeed.
RaftRunResult RunRaftSeed(uint64_t seed, std::function<void(absl::string_view)> trace = nullptr);

}  // namespace quipu::sim
