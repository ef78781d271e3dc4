// Streams of messages between brokers, over plain TCP.
//
//   auto loop = std::make_shared<SocketLoop>();
//   ShardThread thread("peer", loop);
//   auto sender = OpenSocketStream<ReplicaToLeader, LeaderToReplica>(
//       loop, {.host = "127.0.0.1", .port = 9093}, &Encode, &DecodeLeaderToReplica,
//       {.on_message = ..., .on_closed = ...});
//   sender->Send(message);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "runtime/raw_stream.h"
#include "runtime/refusals.h"
#include "runtime/socket/socket_loop.h"
#include "runtime/socket/stream_frames.h"
#include "runtime/typed_stream.h"

namespace quipu {

struct SocketStreamTarget {
  std::string host = {};
  uint16_t port = 0;
  StreamOpening opening = {};
  // A TCP connection that takes longer fails with UNAVAILABLE; a refused one fails at once.
  Duration connect_timeout = std::chrono::milliseconds(2000);
  // Bytes accepted by Send and not yet on their way; more ends the stream (RESOURCE_EXHAUSTED).
  size_t queue_bytes_max = size_t{64} << 20;
};

// Opens a stream on a connection of its own. Never blocks; Send is allowed at once, what is sent
// waits for the connection. Any failure, also to connect, comes as `on_closed`, exactly once and
// last, with the address in its message.
//
// There is no reconnecting: open another stream. Destroying the sender closes the stream; `handler`
// may still be called until its `on_closed` has been, so it must not refer to what may die earlier.
// Close on this side drops what is still queued. Handlers run on the loop's thread and must not
// block. They may Send and Close. Any thread.
std::unique_ptr<RawSender> OpenRawSocketStream(const std::shared_ptr<SocketLoop>& loop,
                                               const SocketStreamTarget& target,
                                               RawHandler handler);

// A stream of structs that have a codec.
template <typename Out, typename In>
std::unique_ptr<MessageSender<Out>> OpenSocketStream(const std::shared_ptr<SocketLoop>& loop,
                                                     const SocketStreamTarget& target,
                                                     ByteChain (*encode)(const Out&),
                                                     absl::StatusOr<In> (*decode)(const Bytes&),
                                                     MessageHandler<In> handler) {
  return std::make_unique<EncodingSender<Out>>(
      OpenRawSocketStream(loop, target, DecodeWith<In>(decode, std::move(handler))), encode);
}

// For each accepted stream, on the thread of its loop. `stream` may be kept for as long as one
// likes; closing it tells the peer the reason. An error refuses the stream.
using SocketStreamAcceptor = std::function<absl::StatusOr<RawHandler>(
    const StreamOpening& opening, std::shared_ptr<RawSender> stream)>;

struct StreamListenerOptions {
  std::string name = "peer";  // in logs
  std::string host = "127.0.0.1";
  uint16_t port = 0;                           // 0: any free one
  size_t connections_max = 4096;               // more are closed as soon as they are accepted
  size_t queue_bytes_max = size_t{128} << 20;  // unsent bytes at which a stream is cut
  std::shared_ptr<Refusals> refusals = {};     // where faults of peers are counted
};

// One listening socket. Bind, Serve, Shutdown, each once, from one thread.
class StreamListener {
 public:
  StreamListener(StreamListenerOptions options, SocketStreamAcceptor acceptor);
  // As Shutdown.
  ~StreamListener();
  StreamListener(const StreamListener&) = delete;
  StreamListener& operator=(const StreamListener&) = delete;

  // Listens; who connects waits for Serve. UNAVAILABLE when the address is taken or not ours.
  absl::Status Bind();
  // A stream is served by the loop that its lane names, counted round. Their threads must run until
  // Shutdown has returned.
  void Serve(std::vector<std::shared_ptr<SocketLoop>> loops);
  // The port that is listened on, after Bind.
  [[nodiscard]] uint16_t port() const;
  // Takes no new connection, ends all that are open. Blocks until every on_closed has returned. Not
  // from a handler.
  void Shutdown();

  // Open now. Any thread.
  [[nodiscard]] size_t connections() const;

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;
};

}  // namespace quipu
