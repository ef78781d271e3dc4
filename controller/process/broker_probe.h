// Whether a broker's process is gone: its own machine refuses the connection.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace quipu {

// Connects to `host`:`port` and closes again. True only for ECONNREFUSED: the machine is there and
// nobody listens. False for anything else: connected, no answer within `timeout`, unknown host.
// Blocks; any thread.
bool ConnectionIsRefused(const std::string& host, uint16_t port, Duration timeout);

}  // namespace quipu
