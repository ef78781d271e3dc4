// One simulated run of a Raft quorum alone, from a seed: no brokers, no hosts, no gRPC messages.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/strings/string_view.h"
#include "tests/simulation/run.h"

namespace quipu::sim {

// A RaftCluster, whose checkers look at every step for violations of I1 to I13, through a phase of
// faults and a phase without. In the first: losses, repetitions, reorderings, partitions, crashes,
// slow disks, disks that are gone for good and replaced, voters that come and go. At the end of the
// second every voter has everything that was acknowledged, and every lost voter is replaced. A
// thousand times cheaper than RunSeed.
RunResult RunRaftSeed(uint64_t seed, std::function<void(absl::string_view)> trace = nullptr);

}  // namespace quipu::sim
