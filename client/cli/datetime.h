// Points in time as people write them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/ids.h"

namespace quipu::cli {

// "2026-11-26T10:00:00", with ".250" for milliseconds and "Z", "+01:00" or "-0500" behind it if
// wanted; without a zone it is UTC. A date alone is its midnight. A wrong argument says what is
// expected; times before 1970 are refused.
absl::StatusOr<TimestampMs> ParseDateTime(const std::string& text);

}  // namespace quipu::cli
