// A small seeded random source. The same seed gives the same numbers on every machine, which
// std::uniform_int_distribution does not promise.
#pragma once

#include <cstdint>

namespace quipu {

// xoshiro256** seeded by splitmix64. Not for secrets. One owner; not thread-safe.
class Rng {
 public:
  explicit Rng(uint64_t seed);

  // Uniform over all 64-bit numbers.
  uint64_t Next();
  // Uniform in [0, bound). `bound` > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high], both inclusive.
  int64_t Between(int64_t low, int64_t high);
  // True with probability numerator/denominator.
  bool Chance(uint64_t numerator, uint64_t denominator);
  // A new source whose numbers are independent of this one's later ones.
  Rng Fork();

 private:
  uint64_t state_[4];
};

}  // namespace quipu
