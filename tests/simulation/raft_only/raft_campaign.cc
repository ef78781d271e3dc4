#include "tests/simulation/raft_only/raft_campaign.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "tests/simulation/raft_only/raft_run.h"
#include "tests/simulation/seeds/seeds.h"

namespace quipu::sim {
namespace {

constexpr uint64_t kRaftStepsMin = 50;

void PrintRaft(const RaftRunResult& result) {
  std::printf("raft seed %" PRIu64 ": %" PRIu64 " steps, hash %016" PRIx64 ", %s\n", result.seed,
              result.steps, result.trace_hash, result.violation ? "VIOLATION" : "clean");
  if (!result.violation) return;
  std::printf("  %s: %s\n  options: %s\n  replay: quipu-sim --raft-only --seed %" PRIu64 "\n",
              result.violation->id.c_str(), result.violation->what.c_str(), result.options.c_str(),
              result.seed);
}

// What a campaign must have seen, per 5,000 seeds, to count as one: about half of what it shows.
int CheckRaftCoverage(const std::map<std::string, uint64_t>& totals, uint64_t seeds) {
  static constexpr std::pair<const char*, uint64_t> kNeeded[] = {
      {"commands.acknowledged", 80000}, {"reads.answered", 60000},
      {"fault.crash", 20000},           {"fault.partition", 20000},
      {"fault.lost_disk", 300},         {"fault.contested_change", 2500},
      {"fault.short_leader", 5000},     {"raft.leaders", 8000},
      {"raft.truncations", 2500},       {"raft.snapshots_installed", 2000},
      {"raft.voters_rolled_back", 190}, {"voters.joined", 4000},
      {"voters.cancelled", 2500},       {"voters.removed", 1200},
      {"voters.leaders_removed", 270},  {"voters.admitted", 800},
  };
  std::vector<CoverageNeed> needs;
  for (const auto& [name, per_5000] : kNeeded) needs.push_back({name, per_5000 * seeds / 5000});
  return CountUnmet(totals, needs);
}

}  // namespace

int RunOneRaftSeed(uint64_t seed, bool quiet) {
  std::function<void(absl::string_view)> trace;
  if (!quiet) {
    trace = [](absl::string_view line) {
      std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
  }
  const RaftRunResult result = RunRaftSeed(seed, std::move(trace));
  PrintRaft(result);
  return result.violation ? 1 : 0;
}

int RunRaftCampaign(uint64_t seeds, uint64_t from, bool check_coverage) {
  std::map<std::string, uint64_t> totals;
  uint64_t steps = 0;
  uint64_t failures = 0;
  const double began = CpuSeconds();
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const RaftRunResult result = RunRaftSeed(seed);
    steps += result.steps;
    for (const auto& [name, count] : result.coverage) totals[name] += count;
    if (result.violation) {
      PrintRaft(result);
      ++failures;
    } else if (result.steps < kRaftStepsMin) {
      std::printf("raft seed %" PRIu64 ": only %" PRIu64 " steps\n", seed, result.steps);
      ++failures;
    }
  }
  const double seconds = std::max(CpuSeconds() - began, 1e-9);
  if (RunRaftSeed(from).trace_hash != RunRaftSeed(from).trace_hash) {
    std::printf("raft seed %" PRIu64 " gave two different traces\n", from);
    ++failures;
  }
  PrintTotals(totals);
  std::printf("%" PRIu64 " raft seeds from %" PRIu64 ", %" PRIu64 " steps, %" PRIu64
              " violations; %.1f CPU seconds, %.1f seeds a second and core\n",
              seeds, from, steps, failures, seconds, static_cast<double>(seeds) / seconds);
  if (failures > 0) return 1;
  return check_coverage && CheckRaftCoverage(totals, seeds) > 0 ? 1 : 0;
}

#ifdef QUIPU_PLANTED_BUGS
int HuntInRaft(PlantedBug bug, const std::string& invariants, uint64_t seeds, uint64_t from) {
  return HuntSeeds({.bug = bug,
                    .invariants = invariants,
                    .seeds = seeds,
                    .from = from,
                    .what = "raft seed",
                    .run = [](uint64_t seed) { return RunRaftSeed(seed).violation; }});
}
#endif

}  // namespace quipu::sim
