// quipu-sim: whole clusters in one thread on virtual time.
//
//   quipu-sim --seed N              one run with a readable trace
//   quipu-sim --seeds N --from M    N runs; totals at the end; exit 1 on a violation
//   quipu-sim --planted NAME ...    (planted build) the same with one safety rule taken away
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "base/logging.h"
#include "base/planted_bug.h"
#include "tests/simulation/run.h"

namespace quipu::sim {
namespace {

void Print(const RunResult& result) {
  std::printf("seed %" PRIu64 ": %" PRIu64 " steps, hash %016" PRIx64 ", %s\n", result.seed,
              result.steps, result.trace_hash, result.violation ? "VIOLATION" : "clean");
  if (result.violation) {
    std::printf("  %s: %s\n  options: %s\n  replay: quipu-sim --seed %" PRIu64 "\n",
                result.violation->id.c_str(), result.violation->what.c_str(),
                result.options.c_str(), result.seed);
  }
}

int One(uint64_t seed, bool quiet) {
  const RunResult result = RunSeed(
      seed, quiet ? std::function<void(absl::string_view)>() : [](absl::string_view line) {
        std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
      });
  Print(result);
  return result.violation ? 1 : 0;
}

// What a campaign must have seen, per 2,000 seeds, to count as one.
int CheckCoverage(const Coverage& totals, uint64_t seeds) {
  int missing = 0;
  const auto need = [&](const std::string& name, uint64_t per_2000) {
    const auto found = totals.find(name);
    const uint64_t seen = found == totals.end() ? 0 : found->second;
    const uint64_t wanted = per_2000 == 1 ? 1 : per_2000 * seeds / 2000;
    if (seen < wanted) {
      std::printf("coverage: %s is %" PRIu64 ", needed %" PRIu64 "\n", name.c_str(), seen, wanted);
      ++missing;
    }
  };
  for (const auto& [name, count] : totals) {
    if (name.rfind("fault.", 0) == 0) need(name, 1);
  }
  need("partition.leader_changes", 1000);
  need("raft.leader_changes", 1000);
  need("raft.truncations", 500);  // about half of what 2,000 seeds show
  need("partition.truncations", 1000);
  need("partition.isr_shrinks", 1000);
  need("producer.retries", 1000);
  return missing;
}

int Many(uint64_t seeds, uint64_t from, bool check_coverage) {
  constexpr uint64_t kStepsMin = 2000;
  Coverage totals;
  uint64_t steps = 0;
  uint64_t violations = 0;
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const RunResult result = RunSeed(seed);
    steps += result.steps;
    for (const auto& [name, count] : result.coverage) totals[name] += count;
    if (result.violation) {
      Print(result);
      ++violations;
    } else if (result.steps < kStepsMin) {
      std::printf("seed %" PRIu64 ": only %" PRIu64 " steps\n", seed, result.steps);
      ++violations;
    }
  }
  // The same seed gives the same run.
  const bool same = RunSeed(from).trace_hash == RunSeed(from).trace_hash;
  if (!same) std::printf("seed %" PRIu64 " gave two different traces\n", from);
  for (const auto& [name, count] : totals)
    std::printf("%-32s %12" PRIu64 "\n", name.c_str(), count);
  std::printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " steps, %" PRIu64 " violations\n",
              seeds, from, steps, violations);
  const int missing = check_coverage && violations == 0 ? CheckCoverage(totals, seeds) : 0;
  return violations == 0 && same && missing == 0 ? 0 : 1;
}

#ifdef QUIPU_PLANTED_BUGS
// Found means: a seed violates the named invariant, and is clean without the bug.
int Hunt(PlantedBug bug, const std::string& invariant, uint64_t seeds, uint64_t from) {
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    SetPlantedBug(bug);
    const RunResult result = RunSeed(seed);
    ClearPlantedBug();
    if (!result.violation) continue;
    const std::string named = ',' + invariant + ',';
    const bool counts = named.find(',' + result.violation->id + ',') != std::string::npos;
    if (!invariant.empty() && !counts) continue;
    const RunResult without = RunSeed(seed);
    if (without.violation) {
      std::printf("seed %" PRIu64 " violates %s without the bug too\n", seed,
                  without.violation->id.c_str());
      return 1;
    }
    std::printf("%s: found by seed %" PRIu64 " (%" PRIu64 " seeds): %s: %s\n", PlantedBugName(bug),
                seed, seed - from + 1, result.violation->id.c_str(),
                result.violation->what.c_str());
    return 0;
  }
  std::printf("%s: NOT found in %" PRIu64 " seeds\n", PlantedBugName(bug), seeds);
  return 1;
}
#endif

}  // namespace
}  // namespace quipu::sim

int main(int argc, char** argv) {
  using namespace quipu;  // NOLINT: this file only
  CLI::App app{"Simulated Quipu clusters", "quipu-sim"};
  uint64_t seed = 0;
  uint64_t seeds = 0;
  uint64_t from = 1;
  bool quiet = false;
  bool check_coverage = false;
  std::string planted;
  std::string invariant;
  app.add_option("--seed", seed, "One run, with its trace");
  app.add_option("--seeds", seeds, "So many runs");
  app.add_option("--from", from, "First seed of --seeds");
  app.add_flag("--quiet", quiet, "No trace with --seed");
  app.add_flag("--check-coverage", check_coverage, "Fail unless every kind of fault was seen");
  app.add_option("--planted", planted, "Take this safety rule away (planted build)");
  app.add_option("--invariant", invariant, "With --planted --seeds: the violation that counts");
  CLI11_PARSE(app, argc, argv);
  SetLogLevel(LogLevel::kError);
#ifdef QUIPU_PLANTED_BUGS
  for (int i = 0; i < kPlantedBugCount && !planted.empty(); ++i) {
    const auto bug = static_cast<PlantedBug>(i);
    if (planted != PlantedBugName(bug)) continue;
    if (seeds > 0) return sim::Hunt(bug, invariant, seeds, from);
    SetPlantedBug(bug);
    return sim::One(seed, quiet);
  }
#endif
  if (!planted.empty()) {
    std::fprintf(stderr, "quipu-sim: no planted bug '%s' in this build\n", planted.c_str());
    return 2;
  }
  if (seeds > 0) return sim::Many(seeds, from, check_coverage);
  return sim::One(seed, quiet);
}
