// What a service manager (systemd) is told of a process: that it serves, that it lives, that it
// ends. Without a manager, that is without NOTIFY_SOCKET, nothing is told and nothing else changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "runtime/executor.h"

namespace quipu {

// Whether threads answer: each is asked by a posted note, and asked again once it has answered all.
// Owner: one thread. The executors must outlive the object and run or drop what was posted.
class LivenessProbe {
 public:
  explicit LivenessProbe(std::vector<Executor*> executors);

  // Whether every executor has run the note of the call before; the first call only asks. A thread
  // that hangs makes this false until it goes on.
  bool AllAnswered();

 private:
  struct Asked {
    Executor* executor;
    uint64_t notes = 0;  // posted
    // Shared with notes that are still in a mailbox.
    std::shared_ptr<std::atomic<uint64_t>> answered = std::make_shared<std::atomic<uint64_t>>(0);
  };
  std::vector<Asked> asked_;
};

// What has to be so for the watchdog to be fed.
struct WatchedParts {
  std::vector<Executor*> executors;
  // How long the oldest write to the disk has been under way; zero: none is. Any thread.
  std::function<Duration()> disk_write_in_progress;
  Duration disk_stall_max;  // longer is a stalled disk
};

// READY=1: the process serves.
void TellReady();
// STOPPING=1: it ends in order.
void TellStopping();

// Waits for SIGTERM or SIGINT and returns its name, as AwaitTerminationSignal. Meanwhile, if the
// manager watches (WATCHDOG_USEC), it is told WATCHDOG=1 four times in the time that it allows, as
// long as every thread answers and the disk is not stalled. Main thread, signals blocked.
std::string AwaitTerminationFeedingWatchdog(const WatchedParts& parts);

}  // namespace quipu
