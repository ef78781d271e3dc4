// Time as the cores see it: values handed in, never read.
//
// `Instant` is monotonic and has no meaning across processes; `TimestampMs` (base/ids.h) is wall
// time. Only runtime/ and the processes' mains read a clock.
#pragma once

#include <chrono>

#include "base/ids.h"

namespace quipu {

using Duration = std::chrono::nanoseconds;
struct MonotonicTimeline {};
using Instant = std::chrono::time_point<MonotonicTimeline, Duration>;

// Both clocks at one moment, as handed to a core.
struct Now {
  Instant mono;
  TimestampMs wall;
};

constexpr int64_t ToMillis(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}
// With what is below a millisecond.
constexpr double ToExactMillis(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace quipu
