#include "runtime/grpc/server_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"

namespace quipu {

void ServerStreamCall::Accept() {
  core_.live.Add();
  self_ = shared_from_this();
  context_->AsyncNotifyWhenDone(&done_tag_);
  method_->request(context_.get(), stream_.get(), queue_cq_, &accept_tag_);
}

void ServerStreamCall::OnAccepted(bool ok) {
  if (!ok) {
    ServerCore& core = core_;
    self_.reset();  // may delete this
    core.live.Remove();
    return;
  }
  if (!core_.stopping.load()) {
    std::make_shared<ServerStreamCall>(core_, queue_cq_, method_)->Accept();
  }
  peer_ = context_->peer();
  handler_ = method_->acceptor(shared_from_this());
  const std::lock_guard<std::mutex> lock(mutex_);
  Advance();
}

bool ServerStreamCall::MayRead() const {
  const StreamLimits& limits = method_->limits;
  return !handling_ && !reading_ && !half_closed_ && !broken_ && !done_ && !finish_begun_ &&
         !close_reason_ && requests_ < limits.requests_max &&
         request_bytes_ < limits.request_bytes_max && queued_bytes_ < limits.queue_pause_bytes;
}

// Starts whatever may be started now.
void ServerStreamCall::Advance() {
  if (MayRead()) {
    reading_ = true;
    stream_->Read(&incoming_, &read_tag_);
  }
  if (broken_ || done_ || finish_begun_ || writing_) return;
  if (!queue_.empty()) {
    const ByteChain message = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= SizeOf(message);
    writing_ = true;
    grpc::WriteOptions options;
    // More follows at once: gRPC may put both into one segment.
    if (!queue_.empty()) options.set_buffer_hint();
    stream_->Write(ToByteBuffer(message), options, &write_tag_);
    return;
  }
  if (!handling_ && (close_reason_ || (half_closed_ && requests_ == 0))) {
    finish_begun_ = true;
    finishing_ = true;
    stream_->Finish(ToGrpcStatus(close_reason_.value_or(absl::OkStatus())), &finish_tag_);
  }
}

void ServerStreamCall::Send(ByteChain message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (broken_ || done_ || finish_begun_ || close_reason_) return;
  const size_t size = SizeOf(message);
  if (queued_bytes_ + size > method_->limits.queue_bytes_max && queued_bytes_ > 0) {
    LogWarn("stream.cut", {{"method", method_->full_name},
                           {"peer", peer_},
                           {"queued_bytes", std::to_string(queued_bytes_)},
                           {"reason", "the peer does not read what it asked for"}});
    refusals_->Add(method_->full_name, ErrorCode::kLimitReached);
    close_reason_ = absl::ResourceExhaustedError("answers are not read");
    queue_.clear();
    queued_bytes_ = 0;
    broken_ = true;
    context_->TryCancel();
    return;
  }
  queued_bytes_ += size;
  queue_.push_back(std::move(message));
  Advance();
}

size_t ServerStreamCall::queued_bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queued_bytes_;
}

void ServerStreamCall::Close(absl::Status reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  CloseLocked(std::move(reason));
}

void ServerStreamCall::CloseLocked(absl::Status reason) {
  if (close_reason_ || done_ || finish_begun_) return;
  close_reason_ = std::move(reason);
  Advance();
}

void ServerStreamCall::BeginRequest(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++requests_;
  request_bytes_ += bytes;
}

void ServerStreamCall::EndRequest(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  QUIPU_CHECK(requests_ > 0);
  QUIPU_CHECK(request_bytes_ >= bytes);
  --requests_;
  request_bytes_ -= bytes;
  Advance();
}

void ServerStreamCall::OnRead(bool ok) {
  bool deliver = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    reading_ = false;
    if (!ok) half_closed_ = true;
    deliver = ok && !close_reason_ && !done_;
    handling_ = deliver;
  }
  absl::Status handled;
  if (deliver) {
    absl::StatusOr<Bytes> message = ToBytes(incoming_);
    incoming_.Clear();
    handled = message.ok() ? handler_.on_message(*std::move(message)) : message.status();
    if (!handled.ok()) refusals_->Add(method_->full_name, ErrorCode::kInvalidRequest);
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    handling_ = false;
    if (!handled.ok()) CloseLocked(std::move(handled));
    Advance();
    if (!AllBack()) return;
  }
  Release();
}

void ServerStreamCall::OnWrite(bool ok) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    writing_ = false;
    if (!ok) {
      broken_ = true;
      queue_.clear();
      queued_bytes_ = 0;
    }
    Advance();
    if (!AllBack()) return;
  }
  Release();
}

void ServerStreamCall::OnFinished(bool /*ok*/) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    finishing_ = false;
    if (!AllBack()) return;
  }
  Release();
}

void ServerStreamCall::OnDone(bool /*ok*/) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
    if (!close_reason_ && !finish_begun_) {
      close_reason_ = absl::CancelledError(absl::StrCat("the peer ", peer_, " went away"));
    }
    queue_.clear();
    queued_bytes_ = 0;
    if (!AllBack()) return;
  }
  Release();
}

void ServerStreamCall::Release() {
  ServerCore& core = core_;
  std::shared_ptr<ServerStreamCall> self;
  absl::Status reason;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    self = std::move(self_);
    reason = close_reason_.value_or(absl::OkStatus());
    // Whoever still holds the stream must not hold gRPC's call: the server may end before.
    stream_.reset();
    context_.reset();
  }
  QUIPU_CHECK(self != nullptr);
  {
    const RawHandler handler = std::move(handler_);
    handler.on_closed(std::move(reason));
  }
  self.reset();
  core.live.Remove();
}

}  // namespace quipu
