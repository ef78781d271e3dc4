// A TCP listener for protocols of requests and answers, each a 4-byte big-endian length and a body.
//
// Everything of one connection happens on one of the listener's threads; answers may come from any
// thread and in any order, and leave in the order of their requests. Limits (FrameServerOptions)
// pause reading instead of filling memory: a peer that sends without reading is slowed down by TCP.
//
// Frames are received in memory that grows with what has come of them: nothing for a length alone,
// then small_frame_bytes, 1 MiB, and at most eight times what has come. So memory is held only by
// who has sent for it, and who stops sending, or waits for more while holding some, is cut off
// after stalled_max. Frames that are half there and fill the memory together do not block each
// other: FrameMemory lets the first of them go on to its end.
//
// Answers are bounded likewise. Who has some that it has not read is not read once those of all
// connections reach answer_bytes_max; it goes on when they are sent, and it is cut off when it
// takes them too slowly. What was asked before may still be answered: above that limit who has
// answer_bytes_pause and gets more is cut off, above twice the limit anybody who gets more than
// small_frame_bytes, so that heartbeats and writes go on. So unsent answers end at twice the limit,
// one answer and small_frame_bytes for each connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "base/time.h"

namespace quipu {

struct FrameServerOptions {
  std::string name = "listener";  // in thread names and logs
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  size_t threads = 1;

  size_t connections_max = 10000;         // more are closed as soon as they are accepted
  size_t connections_per_ip_max = 10000;  // likewise, of one address
  size_t frame_bytes_max = size_t{100}
                           << 20;  // a larger one, or one of no bytes, ends its connection
  size_t frames_waiting_max = 64;  // of one connection, given to its handler, unanswered
  size_t answer_bytes_pause = size_t{8} << 20;  // unsent bytes of one connection: no more is read
  // Frames of all connections, as far as they have come, until they are answered. What does not fit
  // waits for its turn; a frame that is larger than this alone is taken when there is no other. A
  // frame of up to small_frame_bytes does not count when its connection has no other unanswered, so
  // that heartbeats go on while large frames wait, and neither do the first small_frame_bytes of a
  // larger one: at most that much more for each connection, and what one read brought (64 KiB).
  size_t memory_bytes_max = size_t{256} << 20;
  size_t small_frame_bytes = size_t{16} << 10;
  size_t answer_bytes_max = size_t{256} << 20;   // unsent, of all connections; see above
  Duration idle_max = std::chrono::minutes(10);  // between requests
  // A peer that has begun a frame, or has answers to take, is cut off when nothing moves for so
  // long, or when it falls so far behind what bytes_per_second_min would have moved.
  Duration stalled_max = std::chrono::seconds(30);
  size_t bytes_per_second_min = size_t{64} << 10;
};

// What the listener has seen since it started; a count unless it says otherwise.
struct FrameServerCounts {
  uint64_t connections = 0;  // open now
  uint64_t accepted = 0;
  uint64_t refused = 0;         // over one of the limits of connections, or no room in the kernel
  uint64_t closed_idle = 0;     // idle_max
  uint64_t closed_stalled = 0;  // stalled_max, or too many unsent answers
  uint64_t closed_faulty = 0;   // a frame of a forbidden size, or one that the handler refused
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t memory_bytes = 0;  // of memory_bytes_max, now
  uint64_t paused = 0;        // how often a frame had to wait for memory
  uint64_t answer_bytes = 0;  // that are not sent, now
};

// One accepted connection, as its handler sees it.
class FrameConnection {
 public:
  virtual ~FrameConnection() = default;
  // The answer to frame `number` (the first is 0), as it goes out, with its length; no slices:
  // there is none (the peer does not want to hear). Exactly once for each frame, from any thread.
  // Dropped when the connection is gone.
  virtual void Answer(uint64_t number, ByteChain frame) = 0;
  // Reads nothing more, and ends the connection once what was asked for is answered and sent. Any
  // thread.
  virtual void End() = 0;
  // "127.0.0.1", the peer's address without its port.
  [[nodiscard]] virtual const std::string& peer_host() const = 0;
};

struct FrameHandler {
  // Frame `number` without its length. Not OK: the connection is ended, once what was asked before
  // is answered; the reason is logged. Must not block. On the connection's thread.
  std::function<absl::Status(uint64_t number, Bytes frame)> on_frame;
  // Exactly once and last. On the connection's thread.
  std::function<void()> on_closed;
};

// For each accepted connection, on its thread. The handler may keep `connection` for as long as it
// likes.
using FrameAcceptor = std::function<FrameHandler(std::shared_ptr<FrameConnection> connection)>;

// One listening socket with its threads. Bind, Serve, Shutdown, each once.
class FrameServer {
 public:
  FrameServer(FrameServerOptions options, FrameAcceptor acceptor);
  // As Shutdown without grace.
  ~FrameServer();
  FrameServer(const FrameServer&) = delete;
  FrameServer& operator=(const FrameServer&) = delete;

  // Listens; who connects waits for Serve. UNAVAILABLE when the address is taken or not ours.
  absl::Status Bind();
  void Serve();
  // The port that is listened on, after Bind.
  [[nodiscard]] uint16_t port() const;
  // Takes no new connection and reads nothing more; cuts what is not answered and sent after
  // `grace`. Blocks until every on_closed has returned and the threads have ended. Not from a
  // handler.
  void Shutdown(Duration grace);

  // Any thread.
  [[nodiscard]] FrameServerCounts counts() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace quipu
