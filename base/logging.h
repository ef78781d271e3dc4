// One line, one event, to standard error.
//
//   LogInfo("broker.registered", {{"broker", id.ToString()}, {"epoch", epoch.ToString()}});
//   -> time=2026-01-02T03:04:05.678Z level=info node=broker-1 event=broker.registered broker=1
//      epoch=42 msg="a broker was given an epoch"            (in one line)
//
// Events and their messages: base/log_events.h. Values are quoted and escaped where they have to
// be, so that no bytes can forge a line. Never log contents of records. Cores do not log; they
// return what happened. Of one event at most LogOptions::event_lines_max lines are written in ten
// seconds; the rest are counted, and `log.suppressed` says how many. Thread-safe: a line is one
// write.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/log_events.h"

namespace quipu {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kNone };
enum class LogFormat { kLogfmt, kJson };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;       // log.level: lines below it are dropped; kNone: all
  LogFormat format = LogFormat::kLogfmt;  // log.format
  uint32_t event_lines_max = 100;         // log.event.lines.max
};

// Longer values are cut, and say so.
inline constexpr size_t kLogValueBytesMax = 8192;

using LogField = std::pair<absl::string_view, std::string>;

void SetLogOptions(const LogOptions& options);
// The level alone; default: info.
void SetLogLevel(LogLevel level);
// What stands as node= in every line from now on, such as "broker-1"; empty: nothing.
void SetLogNode(const std::string& node);

void Log(LogLevel level, LogEvent event, std::initializer_list<LogField> fields);
inline void LogDebug(LogEvent event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(LogEvent event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarn(LogEvent event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarn, event, fields);
}
inline void LogError(LogEvent event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}
// An error of a process that is about to end: written whatever level and limit say.
void LogLastWords(LogEvent event, std::initializer_list<LogField> fields);

// Writes what was suppressed and is not yet told, of events whose ten seconds are over; of all when
// `all`. Call it now and then, and at the end.
void LogSuppressedLines(bool all);

// `value` as it stands in a logfmt line: quoted when it is empty or has anything but letters,
// digits and plain signs; then " and \ have a \ before them, and control characters and bytes that
// are no UTF-8 are \xNN.
std::string LogfmtValue(absl::string_view value);
// `value` as a JSON string with its quotes: control characters are \u00NN, bytes that are no UTF-8
// the four characters \xNN.
std::string JsonValue(absl::string_view value);
// One line with its end; `time` as it is written.
std::string LogLine(LogFormat format, absl::string_view time, LogLevel level,
                    absl::string_view node, LogEvent event, std::initializer_list<LogField> fields);

}  // namespace quipu
