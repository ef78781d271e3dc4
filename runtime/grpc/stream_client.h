// Outgoing bidirectional streams.
//
//   CallThread calls;
//   auto sender = OpenStream<ProduceRequest, ProduceResponse>(
//       calls, {.host = "127.0.0.1", .port = 9092, .method = kProduceMethod},
//       &Encode, &DecodeProduceResponse, {.on_message = ..., .on_closed = ...});
//   sender->Send(request);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/time.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/raw_stream.h"
#include "runtime/typed_stream.h"

namespace quipu {

// Full names of the stream methods (proto/rpc/services.proto).
inline constexpr char kProduceMethod[] = "/quipu.rpc.Log/Produce";
inline constexpr char kFetchMethod[] = "/quipu.rpc.Log/Fetch";
inline constexpr char kControlMethod[] = "/quipu.rpc.Control/Broker";
inline constexpr char kRaftMethod[] = "/quipu.rpc.Raft/Messages";

struct StreamTarget {
  std::string host;
  uint16_t port = 0;
  std::string method;
  // A TCP connection that takes longer fails with UNAVAILABLE; a refused one fails at once.
  Duration connect_timeout = std::chrono::milliseconds(2000);
  // Bytes accepted by Send and not yet on their way; more ends the stream (RESOURCE_EXHAUSTED).
  size_t queue_bytes_max = size_t{64} << 20;
};

// Opens a stream on a connection of its own. Never blocks; Send is allowed at once, what is sent
// waits for the connection. Any failure, also to connect, comes as `on_closed`, exactly once and
// last, with the address in its message; OK means that the server ended the stream.
//
// There is no reconnecting: open another stream. Destroying the sender closes the stream; `handler`
// may still be called until its `on_closed` has been, so it must not refer to what may die earlier.
// Close on this side cancels: what is still queued is lost.
// Handlers run on `calls`' thread and must not block. They may Send and Close.
std::unique_ptr<RawSender> OpenRawStream(CallThread& calls, StreamTarget target,
                                         RawHandler handler);

// A stream of structs that have a codec (core/request/log_codec.h).
template <typename Out, typename In>
std::unique_ptr<MessageSender<Out>> OpenStream(CallThread& calls, StreamTarget target,
                                               ByteChain (*encode)(const Out&),
                                               absl::StatusOr<In> (*decode)(const Bytes&),
                                               MessageHandler<In> handler) {
  return std::make_unique<EncodingSender<Out>>(
      OpenRawStream(calls, std::move(target), DecodeWith<In>(decode, std::move(handler))), encode);
}

// A stream of protobuf messages.
template <typename Out, typename In>
std::unique_ptr<MessageSender<Out>> OpenProtoStream(CallThread& calls, StreamTarget target,
                                                    MessageHandler<In> handler) {
  return OpenStream<Out, In>(calls, std::move(target), &EncodeProto<Out>, &DecodeProto<In>,
                             std::move(handler));
}

}  // namespace quipu
