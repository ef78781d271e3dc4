// Where an owner's code runs: one thread in production, virtual time in the simulator.
#pragma once

#include <cstdint>
#include <functional>

#include "base/time.h"

namespace quipu {

// Runs posted functions one at a time, in the order of Post. Everything that an owner owns is
// touched on its executor only. Post, PostAfter and GetNow are thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(std::function<void()> work) = 0;
  // Runs `work` once, `delay` from now or later. There is no cancel: the work checks whether it is
  // still wanted.
  virtual void PostAfter(Duration delay, std::function<void()> work) = 0;
  [[nodiscard]] virtual Now GetNow() const = 0;
};

}  // namespace quipu
