#include "tests/simulation/seeds/seeds.h"

#include <cinttypes>
#include <cstdio>
#include <ctime>

namespace quipu::sim {

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

int CountUnmet(const std::map<std::string, uint64_t>& totals,
               const std::vector<CoverageNeed>& needs) {
  int unmet = 0;
  for (const auto& [name, wanted] : needs) {
    const auto found = totals.find(name);
    const uint64_t seen = found == totals.end() ? 0 : found->second;
    if (seen >= wanted) continue;
    std::printf("coverage: %s is %" PRIu64 ", needed %" PRIu64 "\n", name.c_str(), seen, wanted);
    ++unmet;
  }
  return unmet;
}

void PrintTotals(const std::map<std::string, uint64_t>& totals) {
  for (const auto& [name, count] : totals) {
    std::printf("%-32s %12" PRIu64 "\n", name.c_str(), count);
  }
}

#ifdef QUIPU_PLANTED_BUGS
int HuntSeeds(const SeedHunt& hunt) {
  const char* bug = PlantedBugName(hunt.bug);
  const std::string named = ',' + hunt.invariants + ',';
  const double began = CpuSeconds();
  for (uint64_t seed = hunt.from; seed < hunt.from + hunt.seeds; ++seed) {
    SetPlantedBug(hunt.bug);
    const std::optional<Violation> violation = hunt.run(seed);
    ClearPlantedBug();
    if (!violation) continue;
    const bool counts = named.find(',' + violation->id + ',') != std::string::npos;
    if (!hunt.invariants.empty() && !counts) {
      std::printf("%s: %s %" PRIu64 " violates %s, which does not count\n", bug, hunt.what, seed,
                  violation->id.c_str());
      continue;
    }
    const double cpu = CpuSeconds() - began;
    if (const std::optional<Violation> without = hunt.run(seed)) {
      std::printf("%s %" PRIu64 " violates %s without the bug too\n", hunt.what, seed,
                  without->id.c_str());
      return 1;
    }
    std::printf("%s: found by %s %" PRIu64 " (%" PRIu64 " seeds, %.1f CPU seconds): %s: %s\n", bug,
                hunt.what, seed, seed - hunt.from + 1, cpu, violation->id.c_str(),
                violation->what.c_str());
    return 0;
  }
  std::printf("%s: NOT found in %" PRIu64 " %ss (%.1f CPU seconds)\n", bug, hunt.seeds, hunt.what,
              CpuSeconds() - began);
  return 1;
}
#endif

}  // namespace quipu::sim
