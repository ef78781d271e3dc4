#include "tests/simulation/swarm/campaign.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>
#include <vector>

#include "tests/simulation/seeds/seeds.h"

namespace quipu::sim {
namespace {

constexpr uint64_t kStepsMin = 5000;

// What a campaign must have seen, per 2,000 seeds, to count as one.
int CheckCoverage(const Coverage& totals, uint64_t seeds) {
  std::vector<CoverageNeed> needs;
  for (const auto& [name, count] : totals) {
    if (name.rfind("fault.", 0) == 0) needs.push_back({name, 1});
  }
  static constexpr std::pair<const char*, uint64_t> kPer2000[] = {
      {"partition.leader_changes", 1000}, {"raft.leader_changes", 1000},
      {"raft.truncations", 400},  // about half of what 2,000 seeds show
      {"raft.voters_replaced", 400},      {"raft.rot_refused", 40},
      {"partition.truncations", 1000},    {"partition.isr_shrinks", 1000},
      {"producer.retries", 1000},         {"producer.forgotten", 20},
      {"liveness.core_first", 300},       {"group.handovers", 500},
      {"group.static_fenced", 100},       {"group.resets_behind_deleted", 10},
      {"drain.leaders_moved", 100},       {"drain.told_to_stop", 100},
      {"payments.recompressed", 500000},
  };
  for (const auto& [name, per_2000] : kPer2000) needs.push_back({name, per_2000 * seeds / 2000});
  return CountUnmet(totals, needs);
}

struct Totals {
  Coverage coverage;
  uint64_t steps = 0;
  uint64_t failures = 0;
  uint64_t kinds_max = 0;  // of faults in one run
};

uint64_t KindsOfFaults(const Coverage& coverage) {
  return static_cast<uint64_t>(
      std::count_if(coverage.begin(), coverage.end(), [](const auto& counter) {
        return counter.first.rfind("fault.", 0) == 0 && counter.second > 0;
      }));
}

void RunOne(const Campaign& campaign, uint64_t seed, bool twice, Totals& totals) {
  const RunSettings settings{
      .trace = nullptr, .status = false, .overrides = campaign.overrides, .keep_history = false};
  const RunResult result = RunSeed(seed, settings);
  totals.steps += result.steps;
  totals.kinds_max = std::max(totals.kinds_max, KindsOfFaults(result.coverage));
  for (const auto& [name, count] : result.coverage) totals.coverage[name] += count;
  if (result.violation) {
    Print(result, campaign.overrides);
    ++totals.failures;
  } else if (result.steps < kStepsMin && campaign.overrides.empty()) {
    std::printf("seed %" PRIu64 ": only %" PRIu64 " steps\n", seed, result.steps);
    ++totals.failures;
  }
  if (twice && RunSeed(seed, settings).trace_hash != result.trace_hash) {
    std::printf("seed %" PRIu64 " gave two different traces\n", seed);
    ++totals.failures;
  }
}

}  // namespace

std::string CommandLine(uint64_t seed, const Overrides& overrides) {
  std::string text = "quipu-sim";
#ifdef QUIPU_PLANTED_BUGS
  text += "-planted";
  for (int i = 0; i < kPlantedBugCount; ++i) {
    const auto bug = static_cast<PlantedBug>(i);
    if (IsPlanted(bug)) text += std::string(" --planted ") + PlantedBugName(bug);
  }
#endif
  text += " --seed " + std::to_string(seed);
  for (const auto& [name, value] : overrides) {
    text += " --set " + name + '=' + std::to_string(value);
  }
  return text;
}

void Print(const RunResult& result, const Overrides& overrides) {
  std::printf("seed %" PRIu64 ": %" PRIu64 " steps, hash %016" PRIx64 ", %s\n", result.seed,
              result.steps, result.trace_hash, result.violation ? "VIOLATION" : "clean");
  if (!result.violation) return;
  std::printf("  %s: %s\n  options: %s\n  replay: %s\n", result.violation->id.c_str(),
              result.violation->what.c_str(), ToText(result.options).c_str(),
              CommandLine(result.seed, overrides).c_str());
}

int RunCampaign(const Campaign& campaign) {
  Totals totals;
  const double began = CpuSeconds();
  for (uint64_t seed = campaign.from; seed < campaign.from + campaign.seeds; ++seed) {
    RunOne(campaign, seed, campaign.twice || seed == campaign.from, totals);
  }
  const double cpu = std::max(CpuSeconds() - began, 1e-9);
  PrintTotals(totals.coverage);
  const uint64_t runs = campaign.twice ? 2 * campaign.seeds : campaign.seeds + 1;
  std::printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " steps, %" PRIu64
              " violations; up to %" PRIu64
              " kinds of faults in a run; %.1f runs a second and core\n",
              campaign.seeds, campaign.from, totals.steps, totals.failures, totals.kinds_max,
              static_cast<double>(runs) / cpu);
  const bool covered = !campaign.check_coverage || totals.failures > 0 ||
                       CheckCoverage(totals.coverage, campaign.seeds) == 0;
  return totals.failures == 0 && covered ? 0 : 1;
}

#ifdef QUIPU_PLANTED_BUGS
int Hunt(PlantedBug bug, const std::string& invariants, uint64_t seeds, uint64_t from) {
  return HuntSeeds({.bug = bug,
                    .invariants = invariants,
                    .seeds = seeds,
                    .from = from,
                    .what = "seed",
                    .run = [](uint64_t seed) { return RunSeed(seed).violation; }});
}
#endif

}  // namespace quipu::sim
