// Walks through every state of a SmallWorld, breadth first, so that the first violation found is
// one of the shortest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/explore/small_world.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::explore {

struct ExploreOptions {
  Bounds bounds;
  size_t states_max = 20'000'000;  // then it stops, and says so
  int threads = 1;
};

struct ExploreResult {
  size_t states = 0;       // different ones
  size_t transitions = 0;  // actions taken
  size_t ends = 0;         // states in which nothing may happen any more; each settled
  size_t depth = 0;        // actions on the longest shortest path
  bool complete = false;   // every state within the bounds was seen
  std::optional<sim::Violation> violation;
  std::vector<Action> path;  // to the violation
};

// Cores keep no copy of themselves, so a state is reached again by its path: memory is a few bytes
// a state, time grows with the depth. Blocks; uses `threads` threads of its own.
ExploreResult Explore(const ExploreOptions& options);

}  // namespace quipu::explore
