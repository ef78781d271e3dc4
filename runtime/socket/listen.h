// For runtime/socket only.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace quipu {

// Binds and listens on `host`:`port` (0: any free one). UNAVAILABLE when the address is taken or
// not ours: the message names the listener and says what to do.
absl::StatusOr<std::unique_ptr<asio::ip::tcp::acceptor>> ListenOn(asio::io_context& context,
                                                                  const std::string& name,
                                                                  const std::string& host,
                                                                  uint16_t port);

}  // namespace quipu
