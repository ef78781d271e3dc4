// Points in time as people write them on a command line.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu::cli {

// Milliseconds since 1970, by this machine's clock.
int64_t WallMs();

// Milliseconds since 1970 of `text`, which is one of
//   2026-03-01, 2026-03-01T12:30, 2026-03-01T12:30:15.250Z, 2026-03-01T12:30:15+02:00
//                   ISO 8601; without a zone it is UTC; a blank may stand for the T
//   -90s, -1h30m, -2d    so long before `now_ms`; units d, h, m, s, ms
//   now
//   1767225600000        milliseconds since 1970, at least five digits
// kInvalidConfig says what was expected.
absl::StatusOr<int64_t> ParseTime(absl::string_view text, int64_t now_ms);

// As ISO 8601 in UTC with milliseconds: 2026-03-01T12:30:15.250Z. Years 0 to 9999; others as the
// plain number of milliseconds.
std::string TimeText(int64_t ms);

}  // namespace quipu::cli
