// A bidirectional stream before anyone knows what its bytes mean.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "runtime/message_stream.h"

namespace quipu {

// Sends whole encoded messages: record bytes go to the socket from where they lie.
using RawSender = MessageSender<ByteChain>;

// Takes whole messages. An error from `on_message` ends the stream with that error; nothing follows
// but `on_closed`.
struct RawHandler {
  std::function<absl::Status(Bytes)> on_message;
  std::function<void(absl::Status)> on_closed;
};

// A message larger than this is refused by the receiver and ends its call (RESOURCE_EXHAUSTED of
// gRPC, INVALID_ARGUMENT of sockets): max.message.bytes is capped at 8 MiB and a message carries at
// most one batch above 1 MiB.
inline constexpr size_t kMessageBytesMax = size_t{16} << 20;

}  // namespace quipu
