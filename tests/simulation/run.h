// One simulated run from a seed: options drawn, faults, healing, checks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/history/history.h"
#include "tests/simulation/checkers/violation.h"
#include "tests/simulation/swarm/swarm.h"

namespace quipu::sim {

// Totals by name, summed over runs; the names are in docs/testing.md.
using Coverage = std::map<std::string, uint64_t>;

struct RunSettings {
  // Gets one line per noteworthy event when given; with `status` also one per change of any node.
  std::function<void(absl::string_view)> trace;
  bool status = false;
  Overrides overrides;  // in place of what the seed draws
  bool keep_history = false;
};

struct RunResult {
  uint64_t seed = 0;
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
  SwarmOptions options;  // as drawn and replaced
  std::optional<Violation> violation;
  Coverage coverage;
  std::vector<history::Event> history;  // with keep_history
};

RunResult RunSeed(uint64_t seed, const RunSettings& settings = {});

}  // namespace quipu::sim
