// Walks through every state of a SmallWorld.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tests/explore/small_world.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::explore {

// kBreadth: the way to a violation is one of the shortest, but a whole level of worlds is in
// memory. kDepth: hardly more than the hashes is.
enum class Order { kBreadth, kDepth };

struct ExploreOptions {
  Bounds bounds;
  Order order = Order::kDepth;
  size_t states_max = 1'000'000'000;  // then it stops, and says so
  int threads = 1;
};

struct ExploreResult {
  size_t states = 0;       // different ones
  size_t transitions = 0;  // actions taken
  size_t ends = 0;         // states in which nothing happens by itself any more; each settled
  size_t depth = 0;        // actions on the longest way that was gone
  bool complete = false;   // every state within the bounds was seen
  std::optional<sim::Violation> violation;
  std::vector<Action> path;  // to the violation
};

// Blocks; uses `threads` threads of its own.
ExploreResult Explore(const ExploreOptions& options);

}  // namespace quipu::explore
