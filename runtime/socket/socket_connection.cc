#include "runtime/socket/socket_connection.h"

#include <algorithm>
#include <asio/post.hpp>
#include <asio/write.hpp>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "base/logging.h"
#include "runtime/shard_thread.h"

namespace quipu {
namespace {

constexpr size_t kScratchBytes = size_t{64} << 10;
// Reads in a row before another connection has its turn.
constexpr int kReadsPerTurn = 16;
// Slices that one write takes along.
constexpr size_t kSlicesPerWrite = 64;
// Offered to the socket at a time.
constexpr size_t kWritePartBytes = size_t{1} << 20;

std::string HostText(const asio::ip::tcp::socket& socket) {
  std::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? "unknown" : endpoint.address().to_string();
}

std::string PortText(const asio::ip::tcp::socket& socket) {
  std::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? "" : absl::StrCat(":", endpoint.port());
}

}  // namespace

SocketConnection::SocketConnection(std::shared_ptr<FrameServerShared> shared,
                                   std::shared_ptr<asio::io_context> context,
                                   asio::ip::tcp::socket socket,
                                   std::function<void(SocketConnection*)> on_gone)
    : shared_(std::move(shared)),
      context_(std::move(context)),
      socket_(std::move(socket)),
      on_gone_(std::move(on_gone)),
      peer_(absl::StrCat(HostText(socket_), PortText(socket_))),
      peer_host_(HostText(socket_)),
      last_progress_(ReadClocks().mono) {}

void SocketConnection::Start(const FrameAcceptor& acceptor) {
  std::error_code ignored;  // a peer that is gone is seen by the first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  handler_ = acceptor(shared_from_this());
  WaitReadable();
}

// ---- reading ---------------------------------------------------------------------------------

bool SocketConnection::MayRead() const {
  return !closed_ && !draining_ && !paused_ &&
         slots_.size() < shared_->options.frames_waiting_max &&
         unsent_bytes_ < shared_->options.answer_bytes_pause;
}

void SocketConnection::WaitReadable() {
  if (waiting_readable_ || !MayRead()) return;
  waiting_readable_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](std::error_code error) {
                       self->waiting_readable_ = false;
                       if (!error) self->OnReadable();
                     });
}

void SocketConnection::OnReadable() {
  for (int reads = 0; reads < kReadsPerTurn && MayRead(); ++reads) {
    if (!ReadSome()) break;
  }
  WaitReadable();
}

bool SocketConnection::ReadSome() {
  // On the heap: a large thread_local is cut from the stack of every thread of the process, also of
  // those that libraries make with small ones.
  static thread_local std::vector<char> scratch(kScratchBytes);
  const size_t missing = frame_ ? frame_size_ - frame_got_ : 0;
  const bool direct = missing >= kScratchBytes;
  std::error_code error;
  const size_t got =
      direct ? socket_.read_some(asio::buffer(frame_.get() + frame_got_, missing), error)
             : socket_.read_some(asio::buffer(scratch), error);
  if (error == asio::error::would_block || error == asio::error::try_again) return false;
  if (error) {
    // The peer has ended its half or is gone: what it asked for it may still read.
    if (error == asio::error::eof) {
      Drain();
    } else {
      Close();
    }
    return false;
  }
  shared_->received_bytes += got;
  last_progress_ = ReadClocks().mono;
  if (direct) {
    frame_got_ += got;
    if (frame_got_ == frame_size_) DeliverFrame();
    return got == missing;
  }
  TakeBytes({scratch.data(), got});
  return got == kScratchBytes;
}

void SocketConnection::TakeBytes(absl::string_view bytes) {
  while (!bytes.empty() && !closed_ && !draining_) {
    if (!frame_) {
      const size_t part = std::min(length_.size() - length_got_, bytes.size());
      std::memcpy(length_.data() + length_got_, bytes.data(), part);
      length_got_ += part;
      bytes.remove_prefix(part);
      if (length_got_ < length_.size()) return;
      const bool room = slots_.size() < shared_->options.frames_waiting_max;
      if (!room || !BeginFrame()) {
        held_.assign(bytes.data(), bytes.size());
        return;
      }
    }
    const size_t part = std::min(frame_size_ - frame_got_, bytes.size());
    std::memcpy(frame_.get() + frame_got_, bytes.data(), part);
    frame_got_ += part;
    bytes.remove_prefix(part);
    if (frame_got_ == frame_size_) DeliverFrame();
  }
}

bool SocketConnection::BeginFrame() {
  const uint32_t size = LoadBigEndian<uint32_t>(length_.data());
  if (size == 0 || size > shared_->options.frame_bytes_max) {
    Fail(absl::InvalidArgumentError(
        absl::StrCat("a frame of ", size, " bytes; 1 to ", shared_->options.frame_bytes_max,
                     " are taken: not this protocol, or a request that is too large")));
    return false;
  }
  const bool counts = size > shared_->options.small_frame_bytes || !slots_.empty();
  const auto granted = [weak = weak_from_this(), context = context_,
                        shared = std::weak_ptr<FrameServerShared>(shared_), size] {
    asio::post(*context, [weak, shared, size] {
      if (const auto self = weak.lock()) {
        self->OnGranted(size);
      } else if (const auto alive = shared.lock()) {
        alive->memory.GiveBack(size);
      }
    });
  };
  if (counts && !shared_->memory.Take(size, granted)) {
    paused_ = true;
    return false;
  }
  StartFrame(size, counts ? size : 0);
  return true;
}

void SocketConnection::StartFrame(size_t size, size_t memory) {
  const FrameServerOptions& options = shared_->options;
  frame_size_ = size;
  frame_memory_ = memory;
  frame_got_ = 0;
  frame_ = std::make_shared_for_overwrite<char[]>(size);
  frame_deadline_ = ReadClocks().mono + options.stalled_max +
                    std::chrono::seconds(size / options.frame_bytes_per_second_min);
}

void SocketConnection::OnGranted(size_t size) {
  paused_ = false;
  if (closed_ || draining_) {
    GiveBack(size);
    return;
  }
  StartFrame(size, size);
  TakeBytes(std::exchange(held_, {}));
  WaitReadable();
}

void SocketConnection::Resume() {
  if (closed_ || draining_ || paused_) return;
  if (length_got_ == length_.size() && !frame_) {
    if (slots_.size() >= shared_->options.frames_waiting_max || !BeginFrame()) return;
    TakeBytes(std::exchange(held_, {}));
  }
  WaitReadable();
}

void SocketConnection::DeliverFrame() {
  const uint64_t number = first_ + slots_.size();
  slots_.push_back({.answered = false, .memory = frame_memory_, .answer = {}});
  const char* data = frame_.get();
  Bytes frame(std::shared_ptr<const void>(std::move(frame_)), {data, frame_size_});
  frame_.reset();
  length_got_ = 0;
  const absl::Status taken = handler_.on_frame(number, std::move(frame));
  if (!taken.ok()) {
    TakeAnswer(number, {});
    Fail(taken);
  }
}

void SocketConnection::Fail(const absl::Status& why) {
  ++shared_->closed_faulty;
  LogWarn("listener.connection_refused", {{"listener", shared_->options.name},
                                          {"peer", peer_},
                                          {"error", std::string(why.message())}});
  Drain();
}

// ---- answering -------------------------------------------------------------------------------

void SocketConnection::Answer(uint64_t number, ByteChain frame) {
  // Weak: after the server's end nobody runs what is posted.
  asio::post(*context_, [weak = weak_from_this(), number, frame = std::move(frame)]() mutable {
    const auto self = weak.lock();
    if (self != nullptr) self->TakeAnswer(number, std::move(frame));
  });
}

void SocketConnection::End() {
  asio::post(*context_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && !self->closed_) self->Drain();
  });
}

void SocketConnection::GiveBack(size_t memory) {
  if (memory > 0) shared_->memory.GiveBack(memory);
}

void SocketConnection::TakeAnswer(uint64_t number, ByteChain frame) {
  if (closed_) return;
  QUIPU_CHECK(number >= first_ && number - first_ < slots_.size());
  Slot& slot = slots_[number - first_];
  QUIPU_CHECK(!slot.answered);
  slot.answered = true;
  slot.answer = std::move(frame);
  while (!slots_.empty() && slots_.front().answered) {
    Slot& next = slots_.front();
    GiveBack(next.memory);
    for (const Bytes& slice : next.answer) unsent_bytes_ += slice.size();
    std::move(next.answer.begin(), next.answer.end(), std::back_inserter(unsent_));
    slots_.pop_front();
    ++first_;
  }
  last_progress_ = ReadClocks().mono;
  Flush();
  EndIfDone();
  Resume();
}

void SocketConnection::Flush() {
  if (writing_ || closed_ || unsent_.empty()) return;
  const auto end =
      unsent_.begin() + static_cast<ptrdiff_t>(std::min(unsent_.size(), kSlicesPerWrite));
  sending_.assign(std::make_move_iterator(unsent_.begin()), std::make_move_iterator(end));
  unsent_.erase(unsent_.begin(), end);
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(sending_.size());
  for (const Bytes& slice : sending_) buffers.emplace_back(slice.data(), slice.size());
  writing_ = true;
  last_sent_ = ReadClocks().mono;
  asio::async_write(
      socket_, buffers,
      [self = shared_from_this()](std::error_code error, size_t) -> size_t {
        // Called after each part that the peer has taken; gives how much to offer it next.
        self->last_sent_ = self->last_progress_ = ReadClocks().mono;
        return error ? 0 : kWritePartBytes;
      },
      [self = shared_from_this()](std::error_code error, size_t bytes) {
        self->OnWritten(error, bytes);
      });
}

void SocketConnection::OnWritten(std::error_code error, size_t bytes) {
  writing_ = false;
  sending_.clear();
  if (closed_) return;
  if (error) {
    Close();
    return;
  }
  shared_->sent_bytes += bytes;
  unsent_bytes_ -= bytes;
  Flush();
  EndIfDone();
  Resume();
}

// ---- the end ---------------------------------------------------------------------------------

void SocketConnection::CheckIdle(Instant now) {
  if (closed_) return;
  const FrameServerOptions& options = shared_->options;
  // Who is not read because it does not take its answers has no time for its frame running.
  if (unsent_bytes_ >= options.answer_bytes_pause) {
    frame_deadline_ = std::max(frame_deadline_, now + options.stalled_max);
  }
  const bool sending = writing_ && now - last_sent_ > options.stalled_max;
  const bool receiving = frame_ && now > frame_deadline_;
  const bool idle =
      slots_.empty() && !writing_ && !frame_ && !paused_ && now - last_progress_ > options.idle_max;
  if (!sending && !receiving && !idle) return;
  ++shared_->closed_idle;
  LogDebug("listener.connection_idle", {{"listener", options.name},
                                        {"peer", peer_},
                                        {"why", sending     ? "does not read"
                                                : receiving ? "sends a part of a request"
                                                            : "idle"}});
  Close();
}

void SocketConnection::Drain() {
  draining_ = true;
  if (frame_) {
    GiveBack(frame_memory_);
    frame_.reset();
  }
  held_.clear();
  EndIfDone();
}

void SocketConnection::EndIfDone() {
  if (draining_ && slots_.empty() && !writing_ && unsent_.empty()) Close();
}

void SocketConnection::Close() {
  if (closed_) return;
  closed_ = true;
  std::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  size_t memory = frame_ ? frame_memory_ : 0;
  frame_.reset();
  for (const Slot& slot : slots_) memory += slot.memory;
  GiveBack(memory);
  slots_.clear();
  unsent_.clear();
  if (handler_.on_closed) handler_.on_closed();
  handler_ = {};
  const auto on_gone = std::exchange(on_gone_, nullptr);
  on_gone(this);
}

}  // namespace quipu
