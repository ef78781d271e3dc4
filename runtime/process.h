// What the broker's and the controller's programs have in common: exit codes, signals, the file
// that tells scripts which ports were chosen, and the sudden end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/time.h"

namespace quipu {

enum class ExitCode : int {
  kOk = 0,
  kFailure = 1,         // at run time
  kUsage = 2,           // command line or configuration
  kStorageRefused = 3,  // unformatted, foreign, newer, locked or unproven directory
};

// Blocks SIGTERM and SIGINT in this thread and in all that it starts, and ignores SIGPIPE. Call it
// in main before any thread exists.
void BlockTerminationSignals();
// Waits for SIGTERM or SIGINT; returns its name. Tells now and then which log lines were
// suppressed.
std::string AwaitTerminationSignal();
// The same for at most `timeout`; nullopt when none came.
std::optional<std::string> TerminationSignalWithin(Duration timeout);
// Sends this process SIGTERM, so that it stops as if an operator had asked. Any thread.
void RequestTermination();

// Writes "name=host:port" lines to `path` in one step, so that a reader sees all or nothing.
absl::Status WriteListenersFile(const std::string& path,
                                const std::vector<std::pair<std::string, std::string>>& endpoints);

// Logs `reason` and ends the process at once with ExitCode::kFailure: no destructor runs, nothing
// is flushed, nothing is acknowledged any more (D3, PR8). Any thread.
[[noreturn]] void EndProcessNow(const std::string& reason);

// Logs that this process takes anything from anybody who reaches it (PR10).
void WarnOfPlaintext();

// From the operating system; differs at each call.
uint64_t SystemRandomSeed();

// Whether `host` is reachable from this machine only: 127.0.0.0/8, ::1 or localhost.
bool IsLoopbackHost(const std::string& host);
// Whether `host` stands for every address of a machine, where one can listen and nobody connects:
// 0.0.0.0, ::, * or nothing.
bool IsWildcardHost(const std::string& host);

}  // namespace quipu
