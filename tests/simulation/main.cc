// quipu-sim: whole clusters in one thread on virtual time.
//
//   quipu-sim --seed N              one run with a readable trace
//   quipu-sim --seeds N --from M    N runs; totals at the end; exit 1 on a violation
//   quipu-sim --raft-only ...       the same for a Raft quorum alone, many times cheaper
//   quipu-sim --planted NAME ...    (planted build) the same with one safety rule taken away
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/logging.h"
#include "base/planted_bug.h"
#include "tests/history/history_json.h"
#include "tests/simulation/raft_only/raft_campaign.h"
#include "tests/simulation/run.h"
#include "tests/simulation/swarm/campaign.h"

namespace quipu::sim {
namespace {

struct Arguments {
  uint64_t seed = 0;
  uint64_t seeds = 0;
  uint64_t from = 1;
  bool quiet = false;
  bool trace = false;
  bool check_coverage = false;
  bool twice = false;
  bool minimise = false;
  bool raft_only = false;
  std::vector<std::string> set;
  std::string history;
  std::string planted;
  std::string invariant;
};

// False: `text` is not "name=number" with the name of an option.
bool ReadOverride(const std::string& text, Overrides& overrides) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return false;
  const std::string name = text.substr(0, equals);
  const std::string number = text.substr(equals + 1);
  if (number.empty() || number.size() > 9 ||
      number.find_first_not_of("0123456789") != std::string::npos) {
    return false;
  }
  const int64_t value = std::stoll(number);
  SwarmOptions probe;
  if (!Override(probe, name, value)) return false;
  overrides.emplace_back(name, value);
  return true;
}

int One(const Arguments& arguments, const Overrides& overrides) {
  RunSettings settings;
  settings.overrides = overrides;
  settings.status = arguments.trace;
  settings.keep_history = !arguments.history.empty();
  if (!arguments.quiet) {
    settings.trace = [](absl::string_view line) {
      std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
  }
  const RunResult result = RunSeed(arguments.seed, settings);
  Print(result, overrides);
  if (settings.keep_history) {
    std::ofstream file(arguments.history);
    for (const history::Event& event : result.history) file << history::ToJsonLine(event) << '\n';
    file.close();
    if (!file) {
      std::fprintf(stderr, "quipu-sim: cannot write %s\n", arguments.history.c_str());
      return 2;
    }
  }
  return result.violation ? 1 : 0;
}

// The bug named on the command line; false: there is none of that name in this build.
bool Plant(const std::string& name, [[maybe_unused]] PlantedBug& planted) {
#ifdef QUIPU_PLANTED_BUGS
  for (int i = 0; i < kPlantedBugCount; ++i) {
    planted = static_cast<PlantedBug>(i);
    if (name == PlantedBugName(planted)) return true;
  }
#endif
  std::fprintf(stderr, "quipu-sim: no planted bug '%s' in this build\n", name.c_str());
  return false;
}

int Run(const Arguments& arguments) {
  Overrides overrides;
  for (const std::string& text : arguments.set) {
    if (ReadOverride(text, overrides)) continue;
    std::fprintf(stderr, "quipu-sim: --set %s: not an option and a number\n", text.c_str());
    return 2;
  }
  if (!arguments.planted.empty()) {
    PlantedBug bug{};
    if (!Plant(arguments.planted, bug)) return 2;
#ifdef QUIPU_PLANTED_BUGS
    if (arguments.seeds > 0 && arguments.raft_only) {
      return HuntInRaft(bug, arguments.invariant, arguments.seeds, arguments.from);
    }
    if (arguments.seeds > 0) {
      return Hunt(bug, arguments.invariant, arguments.seeds, arguments.from);
    }
    SetPlantedBug(bug);
#endif
  }
  if (arguments.raft_only && arguments.seeds > 0) {
    return RunRaftCampaign(arguments.seeds, arguments.from, arguments.check_coverage);
  }
  if (arguments.raft_only) return RunOneRaftSeed(arguments.seed, arguments.quiet);
  if (arguments.seeds > 0) {
    return RunCampaign({.seeds = arguments.seeds,
                        .from = arguments.from,
                        .check_coverage = arguments.check_coverage,
                        .twice = arguments.twice,
                        .overrides = overrides});
  }
  if (arguments.minimise) return Minimise(arguments.seed, overrides);
  return One(arguments, overrides);
}

}  // namespace
}  // namespace quipu::sim

int main(int argc, char** argv) {
  using namespace quipu;  // NOLINT: this file only
  CLI::App app{"Simulated Quipu clusters", "quipu-sim"};
  sim::Arguments arguments;
  app.add_option("--seed", arguments.seed, "One run, with its trace");
  app.add_option("--seeds", arguments.seeds, "So many runs");
  app.add_option("--from", arguments.from, "First seed of --seeds");
  app.add_flag("--quiet", arguments.quiet, "No trace with --seed");
  app.add_flag("--trace", arguments.trace, "With --seed: a line for each change of any node");
  app.add_flag("--check-coverage", arguments.check_coverage,
               "Fail unless every kind of fault was seen");
  app.add_flag("--twice", arguments.twice,
               "With --seeds: each seed twice, for the same trace hash");
  app.add_flag("--minimise", arguments.minimise, "With --seed: the smallest run that still fails");
  app.add_option("--set", arguments.set, "name=number: an option that the seed does not draw");
  app.add_option("--history", arguments.history,
                 "With --seed: what the clients did, as JSON lines");
  app.add_flag("--raft-only", arguments.raft_only, "A Raft quorum alone, without brokers");
  app.add_option("--planted", arguments.planted, "Take this safety rule away (planted build)");
  app.add_option("--invariant", arguments.invariant,
                 "With --planted --seeds: the violations that count");
  CLI11_PARSE(app, argc, argv);
  // What a fault makes the product complain of is no news here.
  SetLogLevel(LogLevel::kNone);
  return sim::Run(arguments);
}
