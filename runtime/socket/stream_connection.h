// One TCP connection that carries a stream of messages both ways; for runtime/socket only.
#pragma once

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"
#include "runtime/raw_stream.h"
#include "runtime/socket/socket_loop.h"
#include "runtime/socket/stream_frames.h"

namespace quipu {

// Sends at once, on the thread that calls Send, as long as the socket takes it; what it does not
// take follows from the loop's thread. So a message wakes nobody on this side.
//
// Everything else happens on the loop's thread. Whoever accepted the connection tells the reason
// when it closes it; whoever opened it just goes.
class StreamConnection final : public RawSender,
                               public std::enable_shared_from_this<StreamConnection> {
 public:
  // Called on the loop's thread, once, last, after the handler's on_closed.
  using OnGone = std::function<void(const std::shared_ptr<StreamConnection>& gone)>;

  StreamConnection(std::shared_ptr<SocketLoop> loop, std::string peer, size_t queue_bytes_max,
                   OnGone on_gone);

  // ---- one of the two, first ----
  void Open(std::string host, uint16_t port, Duration connect_timeout, StreamOpening opening,
            RawHandler handler);
  // On the loop's thread, with a socket of its context whose opening was read. `acceptor` is called
  // at once; an error of it refuses the stream. `on_fault` is told what the peer does wrong.
  // Messages have up to kUntrustedBodyBytesMax; of replication more, once its handler has taken the
  // first and not closed the stream: then it knows the peer (PR9).
  using Acceptor = std::function<absl::StatusOr<RawHandler>(std::shared_ptr<RawSender>)>;
  void Accept(asio::ip::tcp::socket socket, StreamPurpose purpose, const Acceptor& acceptor,
              std::function<void(const absl::Status&)> on_fault);

  // The loop stops. On its thread.
  void Abandon();

  // ---- any thread ----
  void Send(ByteChain message) override;
  [[nodiscard]] size_t queued_bytes() const override;
  void Close(absl::Status reason) override;

 private:
  // ---- the loop's thread ----
  void Resolve(const std::string& host, uint16_t port);
  void Connect(const std::vector<asio::ip::tcp::endpoint>& endpoints);
  void Connected();
  void WaitReadable();
  void OnReadable();
  absl::Status OnFrame(Bytes body, bool last);
  // The peer has done what it may not.
  void OnFault(const absl::Status& fault);
  void WaitWritable();
  // The end, for `reason` unless Close gave one before.
  void Finish(const absl::Status& reason);
  void FinishAfter(Duration time, absl::Status reason);
  void CancelTimer();
  // ---- with the lock ----
  void Append(ByteChain body, bool last);
  // Hands to the socket what it takes.
  void Flush();
  void CloseLocked(absl::Status reason);

  const std::shared_ptr<SocketLoop> loop_;
  const std::string peer_;
  const size_t queue_bytes_max_;
  OnGone on_gone_;

  // ---- the loop's thread ----
  asio::ip::tcp::socket socket_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  FrameReader reader_;
  RawHandler handler_;
  StreamOpening opening_;
  std::function<void(const absl::Status&)> on_fault_;
  bool accepted_ = false;
  bool heard_ = false;   // accepted_: the first message came
  uint64_t timing_ = 0;  // what timer_ was set for last; one that is due cannot be cancelled
  bool finished_ = false;

  std::atomic<bool> closing_ = false;  // written with the lock
  mutable std::mutex mutex_;
  int fd_ = -1;           // of a connection that is there
  bool blocked_ = false;  // the socket takes nothing more; the loop waits for it
  std::deque<Bytes> unsent_;
  size_t front_sent_ = 0;  // bytes of unsent_.front()
  size_t queued_bytes_ = 0;
  std::optional<absl::Status> reason_;
};

}  // namespace quipu
