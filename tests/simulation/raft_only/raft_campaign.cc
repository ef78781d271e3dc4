#include "tests/simulation/raft_only/raft_campaign.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <map>

#include "tests/simulation/raft_only/raft_run.h"

namespace quipu::sim {
namespace {

constexpr uint64_t kRaftStepsMin = 50;

double RaftCpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

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
      {"commands.acknowledged", 80000},
      {"reads.answered", 60000},
      {"fault.crash", 20000},
      {"fault.partition", 20000},
      {"fault.lost_disk", 300},
      {"fault.contested_change", 2500},
      {"raft.leaders", 8000},
      {"raft.truncations", 2500},
      {"raft.snapshots_installed", 2000},
      {"raft.voters_rolled_back", 190},
      {"voters.joined", 4000},
      {"voters.cancelled", 2500},
      {"voters.removed", 1200},
      {"voters.leaders_removed", 270},
      {"voters.admitted", 800},
  };
  int missing = 0;
  for (const auto& [name, per_5000] : kNeeded) {
    const auto found = totals.find(name);
    const uint64_t seen = found == totals.end() ? 0 : found->second;
    const uint64_t wanted = per_5000 * seeds / 5000;
    if (seen >= wanted) continue;
    std::printf("coverage: %s is %" PRIu64 ", needed %" PRIu64 "\n", name, seen, wanted);
    ++missing;
  }
  return missing;
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
  const double began = RaftCpuSeconds();
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
  const double seconds = std::max(RaftCpuSeconds() - began, 1e-9);
  if (RunRaftSeed(from).trace_hash != RunRaftSeed(from).trace_hash) {
    std::printf("raft seed %" PRIu64 " gave two different traces\n", from);
    ++failures;
  }
  for (const auto& [name, count] : totals) {
    std::printf("%-32s %12" PRIu64 "\n", name.c_str(), count);
  }
  std::printf("%" PRIu64 " raft seeds from %" PRIu64 ", %" PRIu64 " steps, %" PRIu64
              " violations; %.1f CPU seconds, %.1f seeds a second and core\n",
              seeds, from, steps, failures, seconds, static_cast<double>(seeds) / seconds);
  if (failures > 0) return 1;
  return check_coverage && CheckRaftCoverage(totals, seeds) > 0 ? 1 : 0;
}

#ifdef QUIPU_PLANTED_BUGS
int HuntInRaft(PlantedBug bug, const std::string& invariants, uint64_t seeds, uint64_t from) {
  const std::string named = ',' + invariants + ',';
  const double began = RaftCpuSeconds();
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    SetPlantedBug(bug);
    const RaftRunResult result = RunRaftSeed(seed);
    ClearPlantedBug();
    if (!result.violation) continue;
    const bool counts = named.find(',' + result.violation->id + ',') != std::string::npos;
    if (!invariants.empty() && !counts) continue;
    const double seconds = RaftCpuSeconds() - began;
    const RaftRunResult without = RunRaftSeed(seed);
    if (without.violation) {
      std::printf("raft seed %" PRIu64 " violates %s without the bug too\n", seed,
                  without.violation->id.c_str());
      return 1;
    }
    std::printf("%s: found by raft seed %" PRIu64 " (%.1f CPU seconds): %s: %s\n",
                PlantedBugName(bug), seed, seconds, result.violation->id.c_str(),
                result.violation->what.c_str());
    return 0;
  }
  std::printf("%s: NOT found in %" PRIu64 " raft seeds (%.1f CPU seconds)\n", PlantedBugName(bug),
              seeds, RaftCpuSeconds() - began);
  return 1;
}
#endif

}  // namespace quipu::sim
