// Ctrl-C for the verbs that have something to finish.
#pragma once

namespace quipu::cli {

// From now on the first SIGINT or SIGTERM is only remembered, and a second one ends the process at
// once with 128 + its number. SIGPIPE is ignored: a reader that goes away becomes a failed write.
// The verb looks at InterruptSignal between its steps.
void CatchInterrupts();

// The number of the signal that has come; 0: none. Any thread.
int InterruptSignal();

// What a verb ends with that a signal has ended and that has left nothing unfinished: 130 for
// SIGINT, 143 for SIGTERM; 0 when none has come.
int InterruptExitCode();

}  // namespace quipu::cli
