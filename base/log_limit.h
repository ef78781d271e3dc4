// How many lines of each event are written.
#pragma once

#include <array>
#include <cstdint>

#include "base/log_events.h"
#include "base/time.h"

namespace quipu {

// Counts in windows of ten seconds, each begun by an event's first line. Pure; one owner, or behind
// a lock.
class LogLimit {
 public:
  static constexpr Duration kWindow = std::chrono::seconds(10);

  // Whether this line may be written; it counts as suppressed when not.
  bool Admit(size_t event, Instant now, uint32_t lines_max) {
    Window& window = windows_[event];
    if (window.lines == 0 || now - window.begin >= kWindow) {
      window.begin = now;
      window.lines = 0;
    }
    if (window.lines < lines_max) {
      ++window.lines;
      return true;
    }
    ++window.suppressed;
    ++pending_;
    return false;
  }

  // Whether anything is suppressed and not taken.
  [[nodiscard]] bool pending() const { return pending_ > 0; }

  // How many lines of the event were suppressed since the last call, when its window is over or
  // `all`; else 0.
  uint64_t Take(size_t event, Instant now, bool all) {
    Window& window = windows_[event];
    if (window.suppressed == 0 || (!all && now - window.begin < kWindow)) return 0;
    const uint64_t taken = window.suppressed;
    window.suppressed = 0;
    pending_ -= taken;
    return taken;
  }

 private:
  struct Window {
    Instant begin;
    uint32_t lines = 0;
    uint64_t suppressed = 0;
  };
  std::array<Window, kLogEventCount> windows_;
  uint64_t pending_ = 0;
};

}  // namespace quipu
