// What one client connection of the Kafka listener owes its client: every request an answer, in the
// order of the requests, within bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/byte_chain.h"
#include "core/kafka/frame_reader.h"
#include "core/kafka/message.h"
#include "core/kafka/served_apis.h"

namespace quipu::kafka {

struct ConnectionLimits {
  // socket.request.max.bytes.
  size_t request_bytes_max = size_t{100} << 20U;
  // Requests that are handed out and whose answer is missing, or waits for an earlier one.
  size_t in_flight_requests_max = 64;
  // Frames of requests that are handed out and not answered. One frame goes beyond it, so that a
  // frame of any allowed size gets through.
  size_t in_flight_bytes_max = size_t{32} << 20U;
  // Answers that the socket has not taken. What is in flight already may go beyond it.
  size_t output_bytes_max = size_t{64} << 20U;
};

struct IncomingRequest {
  // Counts the connection's requests from 0.
  uint64_t sequence = 0;
  // Of an API and a version that are served.
  RequestFrame frame;
};

// Bytes in, requests out; answers in, in any order; bytes out, in the order of the requests. While
// a limit is reached it does not want to read: the client is slowed down by its socket, and nothing
// is dropped. Requests of a connection overlap, which Kafka's clients allow since each waits for
// its answer by correlation id.
//
// A pure machine: no clock, no socket. One owner thread.
class ConnectionCore {
 public:
  // `served` must outlive the connection.
  ConnectionCore(const ServedApis* served, const ConnectionLimits& limits)
      : served_(served), limits_(limits), reader_(limits.request_bytes_max) {}

  // ---- reading ----
  // Whether the socket shall be read now. Changes with Answer and OnWritten, too.
  [[nodiscard]] bool wants_read() const;
  // Where to read to; only while wants_read(), and valid until OnRead.
  absl::Span<char> Space() { return reader_.Space(); }
  // `size` bytes, at least one, were read; dropped when the end was decided meanwhile. An error is
  // the connection's end, see Close().
  absl::Status OnRead(size_t size);
  // The client sends no more; what it asked is still answered.
  void OnEnd() { ended_ = true; }

  // Gives the next request; false: none now. An ApiVersions of an unknown version is answered by
  // itself. An error ends the connection, see Close(): kInvalidRequest for a frame that is no
  // request, kUnsupportedVersion for an API or a version that is not served (Kafka, too, closes
  // then: it cannot know the shape of the answer).
  absl::StatusOr<bool> NextRequest(IncomingRequest& request);

  // ---- answering ----
  // A whole frame for the request of that sequence, which was given out and is not answered. An
  // empty chain: the client expects nothing (acks=0).
  void Answer(uint64_t sequence, ByteChain response);

  // ---- writing ----
  // The answers that are next in order and were not taken before; empty: none.
  ByteChain TakeOutput();
  // So many bytes of what was taken have left.
  void OnWritten(size_t size);

  // ---- the end ----
  // Takes no more requests. Happens by itself with an error.
  void Close() { closing_ = true; }
  // Closing, or the client has ended, and nothing is owed any more: the socket is to be closed.
  [[nodiscard]] bool done() const;
  // Nothing under way in either direction: the time for connections.max.idle.ms runs.
  [[nodiscard]] bool idle() const;

  [[nodiscard]] size_t in_flight_requests() const { return slots_.size(); }
  // Bytes held for this connection: the frame that arrives, frames in flight, answers not yet sent.
  // What bounds all connections together looks at the sum of these.
  [[nodiscard]] size_t held_bytes() const {
    return reader_.arriving_bytes() + in_flight_bytes_ + output_bytes_;
  }
  void CheckInvariants() const;

 private:
  struct Slot {
    size_t frame_bytes = 0;
    bool answered = false;
    ByteChain response;
  };

  absl::Status Fail(absl::Status status);
  void MoveAnswered();

  const ServedApis* served_;
  ConnectionLimits limits_;
  FrameReader reader_;
  bool closing_ = false;
  bool ended_ = false;
  // Requests from first_sequence_ on; the first is not answered.
  std::deque<Slot> slots_;
  uint64_t first_sequence_ = 0;
  size_t in_flight_bytes_ = 0;  // of unanswered requests
  ByteChain output_;
  size_t output_bytes_ = 0;  // of all answers that have not left, taken ones included
};

}  // namespace quipu::kafka
