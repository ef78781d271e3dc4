// One line, one event, logfmt, to standard error.
//
//   LogInfo("broker.registered", {{"broker", id.ToString()}, {"epoch", epoch.ToString()}});
//   -> 2026-01-02T03:04:05.678Z level=info event=broker.registered broker=1 epoch=42
//
// Values with spaces, quotes or control characters are quoted and escaped, so that no input can
// forge a line. Never log record payloads. Cores do not log; they return what happened.
// Thread-safe: a line is one write.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace quipu {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kNone };

using LogField = std::pair<absl::string_view, std::string>;

// Lines below `level` are dropped; kNone drops all. Default: info.
void SetLogLevel(LogLevel level);

void Log(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields);
inline void LogDebug(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarn(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarn, event, fields);
}
inline void LogError(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

// `value` as it stands in a logfmt line: quoted and escaped where it has to be.
std::string LogfmtValue(absl::string_view value);

}  // namespace quipu
