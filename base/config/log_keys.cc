#include "base/config/log_keys.h"

namespace quipu {

LogOptions ReadLogOptions(ConfigReader& reader) {
  LogOptions options;
  // In the order of the tables' words.
  constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn,
                                  LogLevel::kError};
  options.level = kLevels[reader.Choice("log.level")];
  options.format = reader.Choice("log.format") == 1 ? LogFormat::kJson : LogFormat::kLogfmt;
  reader.Number("log.event.lines.max", &options.event_lines_max);
  return options;
}

}  // namespace quipu
