#include "base/logging.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <mutex>

#include "base/log_limit.h"

namespace quipu {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};

// What the lines share. Held shortly, and never while a line is written.
struct LogState {
  std::mutex mutex;
  std::string node;
  LogFormat format = LogFormat::kLogfmt;
  uint32_t event_lines_max = LogOptions().event_lines_max;
  LogLimit limit;
};

LogState& State() {
  static auto* const state =
      new LogState;  // never destroyed: threads may log while the process ends
  return *state;
}

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kNone:
      break;  // no line has it
  }
  return "unknown";
}

std::string UtcTimestamp() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char buffer[64];
  const size_t length = std::strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[32];
  std::snprintf(fraction, sizeof(fraction), ".%03ldZ", now.tv_nsec / 1000000);
  return std::string(buffer, length) + fraction;
}

Instant MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

void AppendHex(std::string& out, const char* prefix, uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += prefix;
  out.push_back(kDigits[byte >> 4]);
  out.push_back(kDigits[byte & 15]);
}

// The length of the well-formed UTF-8 sequence of a printable character that `text` begins with; 0
// when there is none: a byte that is no UTF-8 (also overlong forms, surrogates and what is beyond
// U+10FFFF), or a control character, also of U+0080 to U+009F, which some terminals obey.
size_t PrintableLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return first >= ' ' && first != 0x7F ? 1 : 0;
  const size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                        : first >= 0xE0 && first <= 0xEF ? 3
                        : first >= 0xF0 && first <= 0xF4 ? 4
                                                         : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xC2 && byte(1) < 0xA0) return 0;
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) > 0x9F) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

// Calls `plain` with each printable character, and `other` with each other byte.
template <typename Plain, typename Other>
void Walk(absl::string_view value, Plain plain, Other other) {
  while (!value.empty()) {
    const size_t length = PrintableLength(value);
    if (length == 0) {
      other(static_cast<uint8_t>(value[0]));
      value.remove_prefix(1);
    } else {
      plain(value.substr(0, length));
      value.remove_prefix(length);
    }
  }
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  bool needs = false;
  Walk(
      value,
      [&](absl::string_view character) {
        const char c = character[0];
        needs = needs || c == ' ' || c == '"' || c == '=' || c == '\\';
      },
      [&](uint8_t) { needs = true; });
  return needs;
}

std::string Cut(const std::string& value) {
  if (value.size() <= kLogValueBytesMax) return value;
  return value.substr(0, kLogValueBytesMax) + "... (" +
         std::to_string(value.size() - kLogValueBytesMax) + " bytes more)";
}

void AppendField(std::string& out, LogFormat format, absl::string_view name,
                 const std::string& value) {
  const std::string key(name.data(), name.size());
  if (format == LogFormat::kJson) {
    out += (out == "{" ? "" : ",") + JsonValue(key) + ":" + JsonValue(value);
  } else {
    out += (out.empty() ? "" : " ") + key + "=" + LogfmtValue(value);
  }
}

void Write(const std::string& line) {
  // Standard error is the last resort; where it is closed there is nowhere left to report.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

std::string LogfmtValue(absl::string_view value) {
  if (!NeedsQuotes(value)) return std::string(value);
  std::string out = "\"";
  Walk(
      value,
      [&](absl::string_view character) {
        if (character[0] == '"' || character[0] == '\\') out.push_back('\\');
        out.append(character.data(), character.size());
      },
      [&](uint8_t byte) { AppendHex(out, "\\x", byte); });
  out.push_back('"');
  return out;
}

std::string JsonValue(absl::string_view value) {
  std::string out = "\"";
  Walk(
      value,
      [&](absl::string_view character) {
        if (character[0] == '"' || character[0] == '\\') out.push_back('\\');
        out.append(character.data(), character.size());
      },
      [&](uint8_t byte) { AppendHex(out, byte < ' ' || byte == 0x7F ? "\\u00" : "\\\\x", byte); });
  out.push_back('"');
  return out;
}

std::string LogLine(LogFormat format, absl::string_view time, LogLevel level,
                    absl::string_view node, LogEvent event,
                    std::initializer_list<LogField> fields) {
  std::string line = format == LogFormat::kJson ? "{" : "";
  AppendField(line, format, "time", std::string(time));
  AppendField(line, format, "level", LevelName(level));
  if (!node.empty()) AppendField(line, format, "node", std::string(node));
  AppendField(line, format, "event", std::string(event.spec().name));
  for (const LogField& field : fields) AppendField(line, format, field.first, Cut(field.second));
  AppendField(line, format, "msg", std::string(event.spec().message));
  line += format == LogFormat::kJson ? "}\n" : "\n";
  return line;
}

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }

void SetLogOptions(const LogOptions& options) {
  SetLogLevel(options.level);
  LogState& state = State();
  const std::lock_guard lock(state.mutex);
  state.format = options.format;
  state.event_lines_max = options.event_lines_max;
}

void SetLogNode(const std::string& node) {
  LogState& state = State();
  const std::lock_guard lock(state.mutex);
  state.node = node;
}

void Log(LogLevel level, LogEvent event, std::initializer_list<LogField> fields) {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  LogSuppressedLines(false);
  std::string line;
  {
    LogState& state = State();
    const std::lock_guard lock(state.mutex);
    if (!state.limit.Admit(event.index(), MonotonicNow(), state.event_lines_max)) return;
    line = LogLine(state.format, UtcTimestamp(), level, state.node, event, fields);
  }
  Write(line);
}

void LogLastWords(LogEvent event, std::initializer_list<LogField> fields) {
  LogSuppressedLines(true);
  std::string line;
  {
    LogState& state = State();
    const std::lock_guard lock(state.mutex);
    line = LogLine(state.format, UtcTimestamp(), LogLevel::kError, state.node, event, fields);
  }
  Write(line);
}

void LogSuppressedLines(bool all) {
  std::string lines;
  {
    LogState& state = State();
    const std::lock_guard lock(state.mutex);
    if (!state.limit.pending()) return;
    const Instant now = MonotonicNow();
    for (size_t i = 0; i < kLogEventCount; ++i) {
      const uint64_t suppressed = state.limit.Take(i, now, all);
      if (suppressed == 0) continue;
      lines +=
          LogLine(state.format, UtcTimestamp(), LogLevel::kWarn, state.node, "log.suppressed",
                  {{"of", std::string(kLogEvents[i].name)}, {"lines", std::to_string(suppressed)}});
    }
  }
  if (!lines.empty()) Write(lines);
}

}  // namespace quipu
