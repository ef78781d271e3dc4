// Ctrl-C, for every verb that may take longer than a moment.
//
// Such a verb calls CatchInterrupts once it has begun something, looks at InterruptSignal between
// its steps, waits by PauseUnlessInterrupted alone, and then either finishes what it has begun and
// ends with InterruptExitCode, or says what is not done with Interrupted.
#pragma once

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace quipu::cli {

// From now on the first SIGINT or SIGTERM is only remembered, and a second one ends the process at
// once with 128 + its number. SIGPIPE is ignored: a reader that goes away becomes a failed write.
void CatchInterrupts();

// What is done before a second signal ends the process; nullptr: nothing. It runs in the signal's
// handler and may call what is async-signal-safe alone.
void SetLastWords(void (*last_words)());

// The number of the signal that has come; 0: none. Any thread.
int InterruptSignal();

// What a verb ends with that a signal has ended, and that lost and left in doubt no record: 130 for
// SIGINT, 143 for SIGTERM; 0 when none has come.
int InterruptExitCode();

// Sleeps, but not on after a signal. False: one has come, now or before.
bool PauseUnlessInterrupted(std::chrono::nanoseconds duration);

// "interrupted: <what>", for a verb that a signal has ended before it was done. Fail (cli.h) makes
// InterruptExitCode of it.
absl::Status Interrupted(absl::string_view what);
[[nodiscard]] bool IsInterrupted(const absl::Status& status);

}  // namespace quipu::cli
