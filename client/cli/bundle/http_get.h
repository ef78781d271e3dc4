// One page by HTTP, for metrics endpoints.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/time.h"

namespace quipu::cli {

// The body of `GET path` as HTTP/1.0. The connection, and the whole of the answer, have `timeout`
// (looking the name up has the system's own). kNotConnected: no connection, no answer in time, an
// answer that is cut short, or another status than 200. kLimitReached: the answer is longer than
// `bytes_max`.
absl::StatusOr<std::string> HttpGet(const std::string& host, uint16_t port, const std::string& path,
                                    Duration timeout, size_t bytes_max);

}  // namespace quipu::cli
