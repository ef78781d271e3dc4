// quipu-sim: whole clusters in one thread on virtual time.
//
//   quipu-sim --seed N              one run with a readable trace
//   quipu-sim --seeds N --from M    N runs; totals at the end; exit 1 on a violation
//   quipu-sim --raft-only ...       the same for a Raft quorum alone, many times cheaper
//   quipu-sim --planted NAME ...    (planted build) the same with one safety rule taken away
#include <CLI/CLI.hpp>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "base/logging.h"
#include "base/planted_bug.h"
#include "tests/simulation/raft_only/raft_run.h"
#include "tests/simulation/run.h"

namespace quipu::sim {
namespace {

// What a seed is run on: whole clusters, or a Raft quorum alone.
struct Kind {
  RunResult (*run)(uint64_t seed, std::function<void(absl::string_view)> trace);
  const char* flag;  // on the command line that replays it
  bool raft_only;
};
constexpr Kind kCluster{&RunSeed, "", false};
constexpr Kind kRaftOnly{&RunRaftSeed, "--raft-only ", true};

void Print(const Kind& kind, const RunResult& result) {
  std::printf("seed %" PRIu64 ": %" PRIu64 " steps, hash %016" PRIx64 ", %s\n", result.seed,
              result.steps, result.trace_hash, result.violation ? "VIOLATION" : "clean");
  if (result.violation) {
    std::printf("  %s: %s\n  options: %s\n  replay: quipu-sim %s--seed %" PRIu64 "\n",
                result.violation->id.c_str(), result.violation->what.c_str(),
                result.options.c_str(), kind.flag, result.seed);
  }
}

int One(const Kind& kind, uint64_t seed, bool quiet) {
  const RunResult result = kind.run(
      seed, quiet ? std::function<void(absl::string_view)>() : [](absl::string_view line) {
        std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
      });
  Print(kind, result);
  return result.violation ? 1 : 0;
}

// What a campaign must have seen, per 2,000 seeds, to count as one.
int CheckCoverage(const Kind& kind, const Coverage& totals, uint64_t seeds) {
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
  if (kind.raft_only) {
    for (const char* name :
         {"raft.leaders", "raft.truncations", "raft.snapshots_installed", "voters.joined",
          "voters.removed", "voters.admitted", "fault.lost_disk", "commands.acknowledged"}) {
      need(name, 1000);
    }
    need("raft.voters_rolled_back", 20);
    need("voters.leaders_removed", 20);
    return missing;
  }
  need("partition.leader_changes", 1000);
  need("raft.leader_changes", 1000);
  need("raft.truncations", 500);  // about half of what 2,000 seeds show
  need("partition.truncations", 1000);
  need("partition.isr_shrinks", 1000);
  need("producer.retries", 1000);
  return missing;
}

int Many(const Kind& kind, uint64_t seeds, uint64_t from, bool check_coverage) {
  const uint64_t kStepsMin = kind.raft_only ? 200 : 2000;
  const auto start = std::chrono::steady_clock::now();
  Coverage totals;
  uint64_t steps = 0;
  uint64_t violations = 0;
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const RunResult result = kind.run(seed, nullptr);
    steps += result.steps;
    for (const auto& [name, count] : result.coverage) totals[name] += count;
    if (result.violation) {
      Print(kind, result);
      ++violations;
    } else if (result.steps < kStepsMin) {
      std::printf("seed %" PRIu64 ": only %" PRIu64 " steps\n", seed, result.steps);
      ++violations;
    }
  }
  // The same seed gives the same run.
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const bool same = kind.run(from, nullptr).trace_hash == kind.run(from, nullptr).trace_hash;
  if (!same) std::printf("seed %" PRIu64 " gave two different traces\n", from);
  for (const auto& [name, count] : totals)
    std::printf("%-32s %12" PRIu64 "\n", name.c_str(), count);
  std::printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " steps, %" PRIu64
              " violations, %.1f seeds a second\n",
              seeds, from, steps, violations, static_cast<double>(seeds) / took.count());
  const int missing = check_coverage && violations == 0 ? CheckCoverage(kind, totals, seeds) : 0;
  return violations == 0 && same && missing == 0 ? 0 : 1;
}

#ifdef QUIPU_PLANTED_BUGS
// Found means: a seed violates the named invariant, and is clean without the bug.
int Hunt(const Kind& kind, PlantedBug bug, const std::string& invariant, uint64_t seeds,
         uint64_t from) {
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    SetPlantedBug(bug);
    const RunResult result = kind.run(seed, nullptr);
    ClearPlantedBug();
    if (!result.violation) continue;
    const std::string named = ',' + invariant + ',';
    const bool counts = named.find(',' + result.violation->id + ',') != std::string::npos;
    if (!invariant.empty() && !counts) continue;
    const RunResult without = kind.run(seed, nullptr);
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
  bool raft_only = false;
  std::string planted;
  std::string invariant;
  app.add_option("--seed", seed, "One run, with its trace");
  app.add_option("--seeds", seeds, "So many runs");
  app.add_option("--from", from, "First seed of --seeds");
  app.add_flag("--quiet", quiet, "No trace with --seed");
  app.add_flag("--check-coverage", check_coverage, "Fail unless every kind of fault was seen");
  app.add_flag("--raft-only", raft_only, "A Raft quorum alone instead of whole clusters");
  app.add_option("--planted", planted, "Take this safety rule away (planted build)");
  app.add_option("--invariant", invariant, "With --planted --seeds: the violation that counts");
  CLI11_PARSE(app, argc, argv);
  SetLogLevel(LogLevel::kError);
  const sim::Kind& kind = raft_only ? sim::kRaftOnly : sim::kCluster;
#ifdef QUIPU_PLANTED_BUGS
  for (int i = 0; i < kPlantedBugCount && !planted.empty(); ++i) {
    const auto bug = static_cast<PlantedBug>(i);
    if (planted != PlantedBugName(bug)) continue;
    if (seeds > 0) return sim::Hunt(kind, bug, invariant, seeds, from);
    SetPlantedBug(bug);
    return sim::One(kind, seed, quiet);
  }
#endif
  if (!planted.empty()) {
    std::fprintf(stderr, "quipu-sim: no planted bug '%s' in this build\n", planted.c_str());
    return 2;
  }
  if (seeds > 0) return sim::Many(kind, seeds, from, check_coverage);
  return sim::One(kind, seed, quiet);
}
