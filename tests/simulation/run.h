// One simulated run from a seed: options drawn, faults, healing, checks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {

// Totals by name, summed over runs; the names are in docs/testing.md.
using Coverage = std::map<std::string, uint64_t>;

struct RunResult {
  uint64_t seed = 0;
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
  std::string options;  // as drawn, for a person
  std::optional<Violation> violation;
  Coverage coverage;
};

// `trace` gets one line per noteworthy event when given.
RunResult RunSeed(uint64_t seed, std::function<void(absl::string_view)> trace = nullptr);

}  // namespace quipu::sim
