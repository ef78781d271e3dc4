// An accepted connection of a FrameServer; for runtime/socket only.
#pragma once

#include <array>
#include <asio/ip/tcp.hpp>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/socket/frame_memory.h"
#include "runtime/socket/frame_server.h"

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
  std::atomic<uint64_t> closed_faulty = 0;
  std::atomic<uint64_t> received_bytes = 0;
  std::atomic<uint64_t> sent_bytes = 0;
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
  // Ends it if it has been idle or stalled for too long.
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
  void TakeBytes(absl::string_view bytes);
  // The length is complete: makes room for the frame. False: paused until there is, or ended.
  bool BeginFrame();
  void StartFrame(size_t size, size_t memory);
  // The memory that it waited for is there.
  void OnGranted(size_t size);
  // Goes on where reading was paused, if nothing is in the way any more.
  void Resume();
  void DeliverFrame();
  void Fail(const absl::Status& why);
  void TakeAnswer(uint64_t number, ByteChain frame);
  void GiveBack(size_t memory);
  void Flush();
  void OnWritten(std::error_code error, size_t bytes);
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
  bool paused_ = false;    // for memory
  std::array<char, 4> length_{};
  size_t length_got_ = 0;
  std::shared_ptr<char[]> frame_;
  size_t frame_size_ = 0;
  size_t frame_got_ = 0;
  size_t frame_memory_ = 0;  // taken of FrameMemory
  Instant frame_deadline_;
  std::string held_;  // read behind a frame that there is no room for yet

  // ---- answering ----
  uint64_t first_ = 0;      // number of slots_.front()
  std::deque<Slot> slots_;  // frames that are not answered, or whose turn to leave has not come
  std::deque<Bytes> unsent_;
  std::vector<Bytes> sending_;  // what the write under way refers to
  size_t unsent_bytes_ = 0;
  bool writing_ = false;
  bool closed_ = false;
  Instant last_progress_;  // something was read, answered or sent
  Instant last_sent_;      // a write began, or the peer took a part of one
};

}  // namespace quipu
