#include "runtime/socket/stream_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <asio/connect.hpp>
#include <asio/post.hpp>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

// A dead peer is noticed within 15 s.
constexpr int kKeepaliveIdleSeconds = 10;
constexpr int kKeepaliveProbeSeconds = 5;
constexpr int kUnansweredMillis = 15000;
// Reads in a row before another connection has its turn.
constexpr int kReadsInARow = 16;
constexpr size_t kPartsPerSend = 64;
// An accepted connection says something in this time.
constexpr Duration kFirstMessagePatience = std::chrono::seconds(10);
// It takes the reason of its end in this time.
constexpr Duration kEndPatience = std::chrono::seconds(1);

void SetOptions(asio::ip::tcp::socket& socket) {
  std::error_code ignored;  // of a peer that is gone; the first read sees it
  socket.non_blocking(true, ignored);
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [fd = socket.native_handle()](int option, int value) {
    ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
  };
  set(TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  set(TCP_KEEPINTVL, kKeepaliveProbeSeconds);
  set(TCP_KEEPCNT, 1);
  set(TCP_USER_TIMEOUT, kUnansweredMillis);
}

absl::Status Broken(int error) {
  return absl::UnavailableError(
      absl::StrCat("the connection broke: ", std::system_category().message(error)));
}

}  // namespace

StreamConnection::StreamConnection(std::shared_ptr<SocketLoop> loop, std::string peer,
                                   size_t queue_bytes_max, OnGone on_gone)
    : loop_(std::move(loop)),
      peer_(std::move(peer)),
      queue_bytes_max_(queue_bytes_max),
      on_gone_(std::move(on_gone)),
      socket_(loop_->context()),
      resolver_(loop_->context()),
      timer_(loop_->context()),
      reader_(kMessageBytesMax) {}

// ---- the beginning ---------------------------------------------------------------------------

void StreamConnection::Open(std::string host, uint16_t port, Duration connect_timeout,
                            StreamOpening opening, RawHandler handler) {
  handler_ = std::move(handler);
  opening_ = opening;
  asio::post(loop_->context(),
             [self = shared_from_this(), host = std::move(host), port, connect_timeout] {
               if (self->finished_) return;
               if (!self->loop_->Add(self)) {
                 self->Abandon();
                 return;
               }
               self->FinishAfter(connect_timeout,
                                 absl::UnavailableError(absl::StrCat(
                                     "no connection within ", ToMillis(connect_timeout), " ms")));
               self->Resolve(host, port);
             });
}

void StreamConnection::Resolve(const std::string& host, uint16_t port) {
  std::error_code no_number;
  const auto address = asio::ip::make_address(host, no_number);
  if (!no_number) {
    Connect({asio::ip::tcp::endpoint(address, port)});
    return;
  }
  resolver_.async_resolve(host, std::to_string(port),
                          [self = shared_from_this()](std::error_code error, const auto& found) {
                            if (error) {
                              self->Finish(absl::UnavailableError(
                                  absl::StrCat("the name is not known: ", error.message())));
                              return;
                            }
                            self->Connect({found.begin(), found.end()});
                          });
}

void StreamConnection::Connect(const std::vector<asio::ip::tcp::endpoint>& endpoints) {
  if (finished_) return;
  asio::async_connect(
      socket_, endpoints, [self = shared_from_this()](std::error_code error, const auto& /*to*/) {
        if (error) {
          self->Finish(absl::UnavailableError(absl::StrCat("no connection: ", error.message())));
        } else if (!self->finished_) {
          self->Connected();
        }
      });
}

void StreamConnection::Connected() {
  CancelTimer();
  SetOptions(socket_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return;  // the end is on its way
    fd_ = socket_.native_handle();
    // Before what was sent already.
    unsent_.push_front(Bytes(EncodeOpening(opening_)));
    queued_bytes_ += kOpeningBytes;
    Flush();
  }
  WaitReadable();
}

void StreamConnection::Accept(asio::ip::tcp::socket socket, StreamPurpose purpose,
                              const Acceptor& acceptor,
                              std::function<void(const absl::Status&)> on_fault) {
  accepted_ = true;
  opening_.purpose = purpose;
  reader_.set_body_bytes_max(FrameReader::kUntrustedBodyBytesMax);
  on_fault_ = std::move(on_fault);
  socket_ = std::move(socket);
  if (!loop_->Add(shared_from_this())) {
    Abandon();
    return;
  }
  SetOptions(socket_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    fd_ = socket_.native_handle();
  }
  absl::StatusOr<RawHandler> handler = acceptor(shared_from_this());
  if (handler.ok()) {
    handler_ = *std::move(handler);
  } else {
    OnFault(handler.status());
  }
  if (!closing_) {
    FinishAfter(kFirstMessagePatience, absl::DeadlineExceededError("it says nothing"));
  }
  WaitReadable();
}

// ---- sending ---------------------------------------------------------------------------------

void StreamConnection::Append(ByteChain body, bool last) {
  const size_t size = SizeOf(body);
  unsent_.push_back(FrameHead(size, last));
  for (Bytes& slice : body) {
    if (!slice.empty()) unsent_.push_back(std::move(slice));
  }
  queued_bytes_ += kFrameHeadBytes + size;
}

void StreamConnection::Send(ByteChain message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) return;
  if (queued_bytes_ > 0 && queued_bytes_ + SizeOf(message) > queue_bytes_max_) {
    CloseLocked(absl::ResourceExhaustedError(absl::StrCat(
        peer_, ": the peer takes nothing and ", queued_bytes_, " bytes are queued for it")));
    return;
  }
  Append(std::move(message), /*last=*/false);
  if (fd_ >= 0 && !blocked_) Flush();
}

void StreamConnection::Flush() {
  while (!unsent_.empty()) {
    std::array<iovec, kPartsPerSend> parts;
    size_t count = 0;
    size_t skip = front_sent_;
    for (auto it = unsent_.begin(); it != unsent_.end() && count < parts.size(); ++it) {
      parts[count++] = {.iov_base = const_cast<char*>(it->data()) + skip,
                        .iov_len = it->size() - skip};
      skip = 0;
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      blocked_ = true;
      asio::post(loop_->context(), [self = shared_from_this()] { self->WaitWritable(); });
      return;
    }
    if (sent < 0) {
      // As a rule the reader sees it too, behind what the peer said last.
      asio::post(loop_->context(), [self = shared_from_this(), why = Broken(errno)] {
        self->FinishAfter(kEndPatience, why);
      });
      fd_ = -1;
      unsent_.clear();
      front_sent_ = queued_bytes_ = 0;
      return;
    }
    queued_bytes_ -= static_cast<size_t>(sent);
    front_sent_ += static_cast<size_t>(sent);
    while (!unsent_.empty() && front_sent_ >= unsent_.front().size()) {
      front_sent_ -= unsent_.front().size();
      unsent_.pop_front();
    }
  }
  if (!closing_) return;
  // All is told. What the peer still sends is read, so that no reset overtakes the reason.
  ::shutdown(fd_, SHUT_WR);
  fd_ = -1;
}

void StreamConnection::WaitWritable() {
  if (finished_) return;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](std::error_code error) {
                       const std::lock_guard<std::mutex> lock(self->mutex_);
                       self->blocked_ = false;
                       if (!error && self->fd_ >= 0) self->Flush();
                     });
}

size_t StreamConnection::queued_bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queued_bytes_;
}

// ---- reading ---------------------------------------------------------------------------------

void StreamConnection::WaitReadable() {
  if (finished_) return;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](std::error_code error) {
                       if (!error) self->OnReadable();
                     });
}

void StreamConnection::OnReadable() {
  for (int reads = 0; reads < kReadsInARow && !finished_; ++reads) {
    const std::span<char> space = reader_.Space();
    const ssize_t got = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) {
      Finish(got == 0 ? absl::CancelledError("the peer went away") : Broken(errno));
      return;
    }
    const absl::Status taken =
        reader_.Took(static_cast<size_t>(got),
                     [this](Bytes body, bool last) { return OnFrame(std::move(body), last); });
    if (!taken.ok()) {
      if (!finished_) OnFault(taken);
      return;
    }
    if (static_cast<size_t>(got) < space.size()) break;
  }
  WaitReadable();
}

absl::Status StreamConnection::OnFrame(Bytes body, bool last) {
  if (last) {
    Finish(DecodeEnd(body.view()));
    return absl::CancelledError();
  }
  if (closing_) return absl::OkStatus();
  const bool first = accepted_ && !std::exchange(heard_, true);
  if (first) CancelTimer();
  absl::Status taken = handler_.on_message(std::move(body));
  if (first && !closing_ && opening_.purpose == StreamPurpose::kFollow) {
    reader_.set_body_bytes_max(kMessageBytesMax);
  }
  return taken;
}

void StreamConnection::OnFault(const absl::Status& fault) {
  if (on_fault_) on_fault_(fault);
  Close(absl::Status(fault.code(), absl::StrCat(peer_, ": ", fault.message())));
}

void StreamConnection::Abandon() { Finish(absl::CancelledError("shutting down")); }

// ---- the end ---------------------------------------------------------------------------------

void StreamConnection::Close(absl::Status reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  CloseLocked(std::move(reason));
}

void StreamConnection::CloseLocked(absl::Status reason) {
  if (closing_) return;
  closing_ = true;
  reason_ = reason;
  const bool told = fd_ >= 0 && accepted_;
  if (told) {
    Append({Bytes(EncodeEnd(reason))}, /*last=*/true);
    if (!blocked_) Flush();
  } else {
    unsent_.clear();
    front_sent_ = queued_bytes_ = 0;
  }
  asio::post(loop_->context(), [self = shared_from_this(), told] {
    self->FinishAfter(told ? kEndPatience : Duration(0), absl::OkStatus());
  });
}

void StreamConnection::CancelTimer() {
  ++timing_;
  timer_.cancel();
}

void StreamConnection::FinishAfter(Duration time, absl::Status reason) {
  if (finished_) return;
  if (time <= Duration(0)) {
    Finish(reason);
    return;
  }
  ++timing_;
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this(), reason = std::move(reason),
                     timing = timing_](std::error_code error) {
    if (!error && timing == self->timing_) self->Finish(reason);
  });
}

void StreamConnection::Finish(const absl::Status& reason) {
  if (finished_) return;
  finished_ = true;
  absl::Status why(reason.code(), absl::StrCat(peer_, ": ", reason.message()));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    fd_ = -1;
    unsent_.clear();
    front_sent_ = queued_bytes_ = 0;
    if (reason_) why = *reason_;
  }
  std::error_code ignored;
  timer_.cancel();
  resolver_.cancel();
  socket_.close(ignored);
  // May hold this connection.
  const RawHandler handler = std::exchange(handler_, {});
  if (handler.on_closed) handler.on_closed(std::move(why));
  const std::shared_ptr<StreamConnection> self = shared_from_this();
  loop_->Remove(self);
  if (on_gone_) std::exchange(on_gone_, nullptr)(self);
}

}  // namespace quipu
