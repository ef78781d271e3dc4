// What campaigns and hunts over seeds have in common, whatever a seed runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#ifdef QUIPU_PLANTED_BUGS
#include "base/planted_bug.h"
#endif
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {

// Of this process, so far.
double CpuSeconds();

struct CoverageNeed {
  std::string name;
  uint64_t count = 0;
};
// How many of `needs` were not met; prints them.
int CountUnmet(const std::map<std::string, uint64_t>& totals,
               const std::vector<CoverageNeed>& needs);

void PrintTotals(const std::map<std::string, uint64_t>& totals);

#ifdef QUIPU_PLANTED_BUGS
struct SeedHunt {
  PlantedBug bug;
  std::string invariants;  // "I20,I21": the violations that count; empty: any
  uint64_t seeds = 0;
  uint64_t from = 1;
  const char* what = "seed";  // for a person
  std::function<std::optional<Violation>(uint64_t seed)> run;
};
// Looks for the first seed that violates one of the invariants with the bug, and is clean without
// it. The exit code: 0 when there is one.
int HuntSeeds(const SeedHunt& hunt);
#endif

}  // namespace quipu::sim
