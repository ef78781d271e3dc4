// What a checker does when an invariant is broken.
#pragma once

#include <string>
#include <utility>

namespace quipu::sim {

// Thrown through the simulated world; the runner prints it with the seed. Product code never sees
// it: checkers run between steps.
struct Violation {
  std::string id;    // "I20"
  std::string what;  // in words, with the numbers
};

// Throws a Violation unless `holds`. `what` is built only when it is needed.
template <typename Describe>
void Require(bool holds, const char* id, Describe&& what) {
  if (!holds) [[unlikely]] {
    throw Violation{id, std::forward<Describe>(what)()};
  }
}

}  // namespace quipu::sim
