// What a thread can wait for beside its mailbox: sockets.
#pragma once

#include <optional>

#include "base/time.h"

namespace quipu {

// Belongs to one thread, which alone calls Poll and Wait; both carry out what is ready, on it.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // What is ready now, a bounded part of it. Never waits.
  virtual void Poll() = 0;
  // Returns when something was ready and is carried out, after a Wake, or at `due` (nullopt:
  // never).
  virtual void Wait(std::optional<Instant> due) = 0;
  // Nothing is polled or waited for any more: ends what is open. Own thread, last.
  virtual void Stop() = 0;
  // Ends a Wait that is under way or about to begin. Any thread.
  virtual void Wake() = 0;
};

}  // namespace quipu
