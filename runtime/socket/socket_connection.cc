#include "runtime/socket/socket_connection.h"

#include <poll.h>

#include <algorithm>
#include <asio/post.hpp>
#include <asio/write.hpp>
#include <cstring>

#include "absl/strings/str_cat.h"
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
  const FrameServerOptions& options = shared_->options;
  return !closed_ && !draining_ && !waiting_memory_ && slots_.size() < options.frames_waiting_max &&
         answer_bytes_ < options.answer_bytes_pause &&
         (answer_bytes_ == 0 || shared_->answer_bytes < options.answer_bytes_max);
}

void SocketConnection::WaitReadable() {
  if (waiting_readable_ || !held_.empty() || !MayRead()) return;
  waiting_readable_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](std::error_code error) {
                       self->waiting_readable_ = false;
                       if (!error) self->OnReadable();
                     });
}

void SocketConnection::OnReadable() {
  // What is held comes before what is read; other threads may end a pause at any moment.
  for (int reads = 0; reads < kReadsPerTurn && held_.empty() && MayRead(); ++reads) {
    if (!ReadSome()) break;
  }
  Resume();
}

bool SocketConnection::ReadSome() {
  // On the heap: a large thread_local is cut from the stack of every thread of the process, also of
  // those that libraries make with small ones.
  static thread_local std::vector<char> scratch(kScratchBytes);
  const bool full = frame_.got() > 0 && frame_.room_left() == 0;
  if (full && frame_.missing() >= kScratchBytes && !MakeRoom(1)) return false;
  const size_t room = frame_.room_left();
  const bool direct = room >= kScratchBytes;
  std::error_code error;
  const size_t got = direct ? socket_.read_some(asio::buffer(frame_.end(), room), error)
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
  if (frame_.begun()) Prolong(frame_deadline_, got);
  if (direct) {
    frame_.Advance(got);
    if (frame_.missing() == 0) DeliverFrame();
    return got == room;
  }
  TakeBytes({scratch.data(), got});
  return got == kScratchBytes;
}

void SocketConnection::Prolong(Instant& deadline, size_t bytes) const {
  const FrameServerOptions& options = shared_->options;
  const auto earned = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
      static_cast<double>(bytes) / static_cast<double>(options.bytes_per_second_min)));
  deadline = std::min(deadline + earned, last_progress_ + options.stalled_max);
}

void SocketConnection::TakeBytes(absl::string_view bytes) {
  while (!bytes.empty() && !closed_ && !draining_) {
    if (!MayRead()) {
      held_.assign(bytes.data(), bytes.size());
      return;
    }
    if (!frame_.sized()) {
      if (!frame_.begun()) frame_deadline_ = last_progress_ + shared_->options.stalled_max;
      if (frame_.TakeLength(bytes)) CheckSize();
      continue;
    }
    const size_t part = std::min(frame_.missing(), bytes.size());
    if (part > frame_.room_left() && !MakeRoom(part)) continue;
    std::memcpy(frame_.end(), bytes.data(), part);
    frame_.Advance(part);
    bytes.remove_prefix(part);
    if (frame_.missing() == 0) DeliverFrame();
  }
}

void SocketConnection::CheckSize() {
  const size_t max = shared_->options.frame_bytes_max;
  if (frame_.size() > 0 && frame_.size() <= max) return;
  Fail(absl::InvalidArgumentError(
      absl::StrCat("a frame of ", frame_.size(), " bytes; 1 to ", max,
                   " are taken: not this protocol, or a request that is too large")));
}

bool SocketConnection::MakeRoom(size_t bytes) {
  const size_t size = frame_.size();
  const size_t first = std::min(size, shared_->options.small_frame_bytes);
  if (frame_.got() + bytes <= first && (first < size || slots_.empty())) {
    frame_.Grow(first);  // does not count
    return true;
  }
  const auto granted = [weak = weak_from_this(), context = context_,
                        shared = std::weak_ptr<FrameServerShared>(shared_)](size_t given) {
    asio::post(*context, [weak, shared, given] {
      if (const auto self = weak.lock()) {
        self->OnGranted(given);
      } else if (const auto alive = shared.lock()) {
        alive->memory.GiveBack(given);
      }
    });
  };
  const FrameMemory::Taken taken = shared_->memory.Take({.step = frame_.next_room() - frame_memory_,
                                                         .rest = size - frame_memory_,
                                                         .held = frame_memory_},
                                                        granted);
  if (taken.bytes == 0) {
    waiting_memory_ = true;
    memory_ticket_ = taken.ticket;
    frame_deadline_ = last_progress_ + shared_->options.stalled_max;
    return false;
  }
  GrowFrame(taken.bytes);
  return true;
}

void SocketConnection::GrowFrame(size_t memory) {
  frame_memory_ += memory;
  frame_.Grow(frame_memory_);
}

void SocketConnection::OnGranted(size_t memory) {
  waiting_memory_ = false;
  if (closed_ || draining_) {
    GiveBack(memory);
    return;
  }
  GrowFrame(memory);
  last_progress_ = ReadClocks().mono;
  frame_deadline_ = last_progress_ + shared_->options.stalled_max;
  Resume();
}

void SocketConnection::Resume() {
  if (!MayRead()) return;
  if (!held_.empty()) TakeBytes(std::exchange(held_, {}));
  WaitReadable();
}

void SocketConnection::DeliverFrame() {
  const uint64_t number = first_ + slots_.size();
  slots_.push_back({.answered = false, .memory = std::exchange(frame_memory_, 0), .answer = {}});
  const absl::Status taken = handler_.on_frame(number, frame_.Finish());
  if (!taken.ok()) {
    TakeAnswer(number, {});
    Fail(taken);
  }
}

void SocketConnection::DropFrame() {
  // What has been granted already is given back when that is told.
  if (waiting_memory_ && shared_->memory.Cancel(memory_ticket_)) waiting_memory_ = false;
  GiveBack(std::exchange(frame_memory_, 0));
  frame_ = {};
  held_.clear();
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

bool SocketConnection::AddAnswerBytes(size_t bytes) {
  const FrameServerOptions& options = shared_->options;
  const size_t all = shared_->answer_bytes.fetch_add(bytes);
  const size_t before = std::exchange(answer_bytes_, answer_bytes_ + bytes);
  const bool most = all > options.answer_bytes_max && before >= options.answer_bytes_pause;
  const bool large =
      all > 2 * options.answer_bytes_max && answer_bytes_ > options.small_frame_bytes;
  return bytes == 0 || !(most || large);
}

void SocketConnection::RemoveAnswerBytes(size_t bytes) {
  answer_bytes_ -= bytes;
  shared_->answer_bytes -= bytes;
}

void SocketConnection::TakeAnswer(uint64_t number, ByteChain frame) {
  if (closed_) return;
  QUIPU_CHECK(number >= first_ && number - first_ < slots_.size());
  Slot& slot = slots_[number - first_];
  QUIPU_CHECK(!slot.answered);
  if (!AddAnswerBytes(SizeOf(frame))) {
    Cut("has asked for more than it reads, and there is no room for it");
    return;
  }
  slot.answered = true;
  slot.answer = std::move(frame);
  while (!slots_.empty() && slots_.front().answered) {
    Slot& next = slots_.front();
    GiveBack(next.memory);
    std::move(next.answer.begin(), next.answer.end(), std::back_inserter(unsent_));
    slots_.pop_front();
    ++first_;
  }
  last_progress_ = ReadClocks().mono;
  if (!writing_) send_deadline_ = last_progress_ + shared_->options.stalled_max;
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
  write_taken_ = 0;
  asio::async_write(
      socket_, buffers,
      [self = shared_from_this()](std::error_code error, size_t taken) -> size_t {
        // Called after each part that the peer has taken; gives how much to offer it next.
        self->OnTaken(taken);
        return error ? 0 : kWritePartBytes;
      },
      [self = shared_from_this()](std::error_code error, size_t bytes) {
        self->OnWritten(error, bytes);
      });
}

void SocketConnection::OnTaken(size_t bytes) {
  if (bytes == write_taken_) return;
  last_progress_ = ReadClocks().mono;
  Prolong(send_deadline_, bytes - std::exchange(write_taken_, bytes));
}

void SocketConnection::OnWritten(std::error_code error, size_t bytes) {
  writing_ = false;
  sending_.clear();
  if (closed_) return;
  if (error) {
    Close();
    return;
  }
  OnTaken(bytes);
  shared_->sent_bytes += bytes;
  RemoveAnswerBytes(bytes);
  Flush();
  EndIfDone();
  Resume();
}

// ---- the end ---------------------------------------------------------------------------------

void SocketConnection::CheckIdle(Instant now) {
  if (closed_) return;
  const FrameServerOptions& options = shared_->options;
  // Who is not read has no time running for its frame, unless it holds memory that others lack.
  if (!MayRead() && !(waiting_memory_ && frame_memory_ > 0)) {
    frame_deadline_ = std::max(frame_deadline_, now + options.stalled_max);
  }
  if (writing_ && now > send_deadline_) {
    Cut("does not read its answers, or too slowly");
  } else if (frame_.begun() && now > frame_deadline_) {
    Cut(waiting_memory_ ? "waits for memory with a part of a request"
                        : "does not send the rest of its request, or too slowly");
  } else if (slots_.empty() && !writing_ && !frame_.begun() &&
             now - last_progress_ > options.idle_max) {
    ++shared_->closed_idle;
    LogDebug("listener.connection_idle", {{"listener", options.name}, {"peer", peer_}});
    Close();
  } else {
    CheckPeer();
    Resume();  // what others hold may have changed
  }
}

void SocketConnection::CheckPeer() {
  if (waiting_readable_ || writing_) return;  // told by those
  pollfd state{.fd = socket_.native_handle(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&state, 1, 0) <= 0) return;
  if ((state.revents & (POLLERR | POLLHUP)) != 0) {
    Close();
    return;
  }
  if (!waiting_memory_) return;  // what it has asked for it may still read
  std::error_code ignored;
  if (held_.size() + socket_.available(ignored) < frame_.missing()) Drain();
}

void SocketConnection::Cut(const char* why) {
  ++shared_->closed_stalled;
  LogWarn("listener.connection_stalled",
          {{"listener", shared_->options.name}, {"peer", peer_}, {"why", why}});
  // What the kernel has for it goes too, in place of waiting for the peer to take it.
  std::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  Close();
}

void SocketConnection::Drain() {
  draining_ = true;
  DropFrame();
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
  DropFrame();
  size_t memory = 0;
  for (const Slot& slot : slots_) memory += slot.memory;
  GiveBack(memory);
  slots_.clear();
  unsent_.clear();
  RemoveAnswerBytes(answer_bytes_);
  if (handler_.on_closed) handler_.on_closed();
  handler_ = {};
  const auto on_gone = std::exchange(on_gone_, nullptr);
  on_gone(this);
}

}  // namespace quipu
