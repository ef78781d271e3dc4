// Many runs: campaigns over seeds, their coverage, hunts for planted bugs, and shorter versions of
// a seed that fails.
#pragma once

#include <cstdint>
#include <string>

#ifdef QUIPU_PLANTED_BUGS
#include "base/planted_bug.h"
#endif
#include "tests/simulation/run.h"

namespace quipu::sim {

struct Campaign {
  uint64_t seeds = 0;
  uint64_t from = 1;
  bool check_coverage = false;
  bool twice = false;  // every seed a second time: the trace hash must be the same
  Overrides overrides;
};

// Prints each violation and the totals. The exit code: 0 when everything is as it should be.
int RunCampaign(const Campaign& campaign);

// Prints the result of one run; of a violation everything that is needed to see it again.
void Print(const RunResult& result, const Overrides& overrides);

// "quipu-sim --seed 7 --set brokers=3".
std::string CommandLine(uint64_t seed, const Overrides& overrides);

// Takes away from a seed that violates an invariant what it can do without, as long as the same
// invariant is violated: kinds of faults, clients, nodes, time. Prints the way and the command line
// of the smallest run found; exit code 1 when the seed is clean.
int Minimise(uint64_t seed, const Overrides& overrides);

#ifdef QUIPU_PLANTED_BUGS
// Looks for the first seed that violates one of `invariants` ("I20,I21"; empty: any) with the bug,
// and is clean without it.
int Hunt(PlantedBug bug, const std::string& invariants, uint64_t seeds, uint64_t from);
#endif

}  // namespace quipu::sim
