// log.level, log.format and log.event.lines.max.
#pragma once

#include "base/config/config_reader.h"
#include "base/logging.h"

namespace quipu {

// Reads the three from a table that has them (kLogLevelKey and its like, base/config/key_parts.h).
LogOptions ReadLogOptions(ConfigReader& reader);

}  // namespace quipu
