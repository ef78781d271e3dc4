// Many runs of a Raft quorum alone, and hunts for planted bugs in it.
#pragma once

#include <cstdint>
#include <string>

#ifdef QUIPU_PLANTED_BUGS
#include "base/planted_bug.h"
#endif

namespace quipu::sim {

// One run, with its trace unless `quiet`. The exit code: 1 when an invariant was violated.
int RunOneRaftSeed(uint64_t seed, bool quiet);

// Prints each violation, totals, and seeds per second. The exit code: 1 when an invariant was
// violated, or, with `check_coverage`, too little happened.
int RunRaftCampaign(uint64_t seeds, uint64_t from, bool check_coverage);

#ifdef QUIPU_PLANTED_BUGS
// Looks for the first seed that violates one of `invariants` ("I8,I11"; empty: any) with the bug,
// and is clean without it.
int HuntInRaft(PlantedBug bug, const std::string& invariants, uint64_t seeds, uint64_t from);
#endif

}  // namespace quipu::sim
