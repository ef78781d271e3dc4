// One end of a bidirectional ordered stream of messages: gRPC in production, the simulated network
// in the simulator.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace quipu {

// Outgoing half. Thread-safe. Send keeps order and never blocks; what is sent after the stream
// broke is lost silently, and `on_closed` of the handler tells that it broke.
template <typename Out>
class MessageSender {
 public:
  virtual ~MessageSender() = default;
  virtual void Send(Out message) = 0;
  // Bytes accepted by Send and not yet taken by the transport.
  [[nodiscard]] virtual size_t queued_bytes() const = 0;
  // Ends the stream; `on_closed` follows on this end too.
  virtual void Close(absl::Status reason) = 0;
};

// Incoming half. Called one at a time, in order; on a transport thread, so an owner posts to its
// executor. `on_closed` comes exactly once and last.
template <typename In>
struct MessageHandler {
  std::function<void(In)> on_message;
  std::function<void(absl::Status)> on_closed;
};

}  // namespace quipu
