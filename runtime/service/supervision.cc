#include "runtime/service/supervision.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/logging.h"
#include "runtime/process.h"

namespace quipu {
namespace {

void Tell(const char* state) {
  const int sent = sd_notify(/*unset_environment=*/0, state);
  if (sent < 0) {
    LogWarn("service.notify_failed", {{"state", state}, {"error", std::strerror(-sent)}});
  }
}

}  // namespace

LivenessProbe::LivenessProbe(std::vector<Executor*> executors) {
  asked_.reserve(executors.size());
  for (Executor* executor : executors) asked_.push_back(Asked{.executor = executor});
}

bool LivenessProbe::AllAnswered() {
  bool all = true;
  for (Asked& one : asked_) {
    const bool answered = one.answered->load() == one.notes;
    all = all && answered && one.notes > 0;
    // One note at a time, so that a thread that hangs does not collect them.
    if (!answered) continue;
    ++one.notes;
    one.executor->Post([counter = one.answered] { counter->fetch_add(1); });
  }
  return all;
}

void TellReady() { Tell("READY=1"); }

void TellStopping() { Tell("STOPPING=1"); }

std::string AwaitTerminationFeedingWatchdog(const WatchedParts& parts) {
  uint64_t allowed_us = 0;
  const int watched = sd_watchdog_enabled(/*unset_environment=*/0, &allowed_us);
  if (watched < 0) {
    LogWarn("service.watchdog_unreadable", {{"error", std::strerror(-watched)}});
  }
  if (watched <= 0) return AwaitTerminationSignal();
  const Duration interval =
      std::max<Duration>(std::chrono::microseconds(allowed_us) / 4, std::chrono::milliseconds(1));
  LivenessProbe probe(parts.executors);
  probe.AllAnswered();  // asks; the first answers are looked at behind the first wait
  bool was_fed = true;
  for (;;) {
    if (auto name = TerminationSignalWithin(interval)) return *std::move(name);
    const bool answers = probe.AllAnswered();
    const bool disk_works = parts.disk_write_in_progress() <= parts.disk_stall_max;
    const bool feeds = answers && disk_works;
    if (feeds) Tell("WATCHDOG=1");
    if (!feeds && was_fed) {
      LogWarn("service.watchdog_not_fed", {{"threads_answer", answers ? "true" : "false"},
                                           {"disk_answers", disk_works ? "true" : "false"}});
    }
    was_fed = feeds;
  }
}

}  // namespace quipu
