// An accepted connection of a FrameServer; for runtime/socket only.
#pragma once

#include <asio/ip/tcp.hpp>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "runtime/socket/frame_memory.h"
#include "runtime/socket/frame_server.h"
#include "runtime/socket/incoming_frame.h"

namespace quipu {

// What the connections of one server share. Counters are atomic, the rest is never changed.
struct FrameServerShared {
  explicit FrameServerShared(FrameServerOptions given)
      : options(std::move(given)), memory(options.memory_bytes_max) {}

  const FrameServerOptions options;
  FrameMemory memory;
  std::atomic<uint64_t> accepted = 0;
  std::atomic<uint64_t> refused = 0;
  std::atomic<uint64_t> closed_idle = 0;
  std::atomic<uint64_t> closed_stalled = 0;
  std::atomic<uint64_t> closed_faulty = 0;
  std::atomic<uint64_t> received_bytes = 0;
  std::atomic<uint64_t> sent_bytes = 0;
  std::atomic<size_t> answer_bytes = 0;  // not sent yet, of all connections
};

// Reads when the socket can be read, into a buffer that the connections of a thread share, so that
// an idle connection holds none; the rest of a large frame is read to where it stays.
class SocketConnection final : public FrameConnection,
                               public std::enable_shared_from_this<SocketConnection> {
 public:
  // `context` keeps the thread's io_context alive. `on_gone` is called on the thread, once, last.
  SocketConnection(std::shared_ptr<FrameServerShared> shared,
                   std::shared_ptr<asio::io_context> context, asio::ip::tcp::socket socket,
                   std::function<void(SocketConnection*)> on_gone);

  void Answer(uint64_t number, ByteChain frame) override;
  void End() override;
  [[nodiscard]] const std::string& peer_host() const override { return peer_host_; }

  // ---- on the connection's thread ----
  void Start(const FrameAcceptor& acceptor);
  // Once a second: ends it if it has been idle or stalled for too long, or if its peer is gone.
  void CheckIdle(Instant now);
  // Reads nothing more; ends once all is answered and sent.
  void Drain();
  // Ends it at once.
  void Close();

 private:
  struct Slot {
    bool answered = false;
    size_t memory = 0;  // taken of FrameMemory
    ByteChain answer;
  };

  [[nodiscard]] bool MayRead() const;
  void WaitReadable();
  void OnReadable();
  // True: the socket may have more at once.
  bool ReadSome();
  // The peer has sent or taken `bytes`: it may go on for as long as they take at the least speed,
  // and never for longer than stalled_max.
  void Prolong(Instant& deadline, size_t bytes) const;
  void TakeBytes(absl::string_view bytes);
  // The length is complete: fails when it is a forbidden one.
  void CheckSize();
  // For `bytes` more of the frame. False: reading is paused until there is memory.
  bool MakeRoom(size_t bytes);
  void GrowFrame(size_t memory);
  // The memory that it waited for is there.
  void OnGranted(size_t memory);
  // Goes on where reading was paused, if nothing is in the way any more.
  void Resume();
  void DeliverFrame();
  // Forgets what has come of a frame, and what was read behind it.
  void DropFrame();
  void Fail(const absl::Status& why);
  // False: too many are unsent, and most of them here.
  [[nodiscard]] bool AddAnswerBytes(size_t bytes);
  void RemoveAnswerBytes(size_t bytes);
  void TakeAnswer(uint64_t number, ByteChain frame);
  void GiveBack(size_t memory);
  void Flush();
  // The peer has taken so many bytes of the write under way.
  void OnTaken(size_t bytes);
  void OnWritten(std::error_code error, size_t bytes);
  // Whether the peer of a connection that is neither read nor written is still there.
  void CheckPeer();
  // Ends it at once, and says why.
  void Cut(const char* why);
  void EndIfDone();

  const std::shared_ptr<FrameServerShared> shared_;
  const std::shared_ptr<asio::io_context> context_;
  asio::ip::tcp::socket socket_;
  std::function<void(SocketConnection*)> on_gone_;
  std::string peer_;
  std::string peer_host_;
  FrameHandler handler_;

  // ---- reading ----
  bool waiting_readable_ = false;
  bool draining_ = false;  // nothing more is read
  bool waiting_memory_ = false;
  uint64_t memory_ticket_ = 0;  // while it waits
  IncomingFrame frame_;
  size_t frame_memory_ = 0;  // taken of FrameMemory
  Instant frame_deadline_;   // of a frame that has begun
  std::string held_;         // read before reading was paused, and not looked at

  // ---- answering ----
  uint64_t first_ = 0;      // number of slots_.front()
  std::deque<Slot> slots_;  // frames that are not answered, or whose turn to leave has not come
  std::deque<Bytes> unsent_;
  std::vector<Bytes> sending_;  // what the write under way refers to
  size_t write_taken_ = 0;      // of that write, by the peer
  size_t answer_bytes_ = 0;     // of all answers that are not sent, in slots_ too
  bool writing_ = false;
  bool closed_ = false;
  Instant last_progress_;  // something was read, answered or sent
  Instant send_deadline_;  // while writing
};

}  // namespace quipu
