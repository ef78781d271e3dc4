#include "runtime/grpc/stream_client.h"

#include <grpcpp/generic/generic_stub.h>

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "runtime/grpc/call_thread_impl.h"
#include "runtime/grpc/completion.h"

namespace quipu {
namespace {

// One outgoing stream. Keeps itself alive while gRPC has an operation of it. At most one start, one
// read and one write are under way; when all are back after a failure, Finish asks for the status.
class ClientStream final : public CancellableCall,
                           public std::enable_shared_from_this<ClientStream> {
 public:
  ClientStream(CallThread::Impl& calls, StreamTarget target, RawHandler handler)
      : calls_(calls),
        target_(std::move(target)),
        address_(AddressText(target_.host, target_.port)),
        handler_(std::move(handler)) {}

  void Start();
  void Send(ByteChain message);
  void Close(absl::Status reason);
  [[nodiscard]] size_t queued_bytes() const;
  void Cancel() override { Close(absl::CancelledError("shutting down")); }

 private:
  void OnStart(bool ok);
  void OnRead(bool ok);
  void OnWrite(bool ok);
  void OnFinish(bool ok);
  // The following need the lock.
  void MaybeWrite();
  void MaybeFinish();
  void CloseLocked(absl::Status reason);

  CallThread::Impl& calls_;
  const StreamTarget target_;
  const std::string address_;
  RawHandler handler_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::ClientContext> context_ = std::make_unique<grpc::ClientContext>();
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer incoming_;
  grpc::Status finish_status_;

  mutable std::mutex mutex_;
  std::deque<ByteChain> queue_;
  size_t queued_bytes_ = 0;
  bool started_ = false;  // the start operation is back
  bool reading_ = false;
  bool writing_ = false;
  bool broken_ = false;  // nothing more can be read or written
  bool finishing_ = false;
  bool closed_ = false;
  std::optional<absl::Status> close_reason_;
  std::shared_ptr<ClientStream> self_;

  MemberTag<ClientStream> start_tag_{this, &ClientStream::OnStart};
  MemberTag<ClientStream> read_tag_{this, &ClientStream::OnRead};
  MemberTag<ClientStream> write_tag_{this, &ClientStream::OnWrite};
  MemberTag<ClientStream> finish_tag_{this, &ClientStream::OnFinish};
};

void ClientStream::Start() {
  if (!calls_.Register(this)) {
    closed_ = true;
    handler_.on_closed(absl::CancelledError(absl::StrCat(address_, ": shutting down")));
    return;
  }
  channel_ = MakeChannel(target_.host, target_.port, target_.connect_timeout);
  grpc::GenericStub stub(channel_);
  const std::lock_guard<std::mutex> lock(mutex_);
  self_ = shared_from_this();
  stream_ = stub.PrepareCall(context_.get(), target_.method, calls_.queue());
  stream_->StartCall(&start_tag_);
}

void ClientStream::Send(ByteChain message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_ || broken_ || close_reason_) return;
  const size_t size = SizeOf(message);
  if (queued_bytes_ + size > target_.queue_bytes_max && queued_bytes_ > 0) {
    CloseLocked(absl::ResourceExhaustedError(absl::StrCat(
        address_, ": the peer takes nothing and ", queued_bytes_, " bytes are queued for it")));
    return;
  }
  queued_bytes_ += size;
  queue_.push_back(std::move(message));
  MaybeWrite();
}

size_t ClientStream::queued_bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queued_bytes_;
}

void ClientStream::Close(absl::Status reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  CloseLocked(std::move(reason));
}

void ClientStream::CloseLocked(absl::Status reason) {
  if (closed_ || close_reason_) return;
  close_reason_ = std::move(reason);
  queue_.clear();
  queued_bytes_ = 0;
  context_->TryCancel();
}

void ClientStream::MaybeWrite() {
  if (!started_ || writing_ || broken_ || queue_.empty()) return;
  const ByteChain message = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= SizeOf(message);
  writing_ = true;
  grpc::WriteOptions options;
  // More follows at once: gRPC may put both into one segment.
  if (!queue_.empty()) options.set_buffer_hint();
  stream_->Write(ToByteBuffer(message), options, &write_tag_);
}

void ClientStream::MaybeFinish() {
  if (!broken_ || !started_ || reading_ || writing_ || finishing_) return;
  finishing_ = true;
  stream_->Finish(&finish_status_, &finish_tag_);
}

void ClientStream::OnStart(bool ok) {
  const std::lock_guard<std::mutex> lock(mutex_);
  started_ = true;
  if (ok) {
    reading_ = true;
    stream_->Read(&incoming_, &read_tag_);
    MaybeWrite();
  } else {
    broken_ = true;
    MaybeFinish();
  }
}

void ClientStream::OnRead(bool ok) {
  bool deliver = ok;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (close_reason_) deliver = false;
  }
  absl::Status handled;
  if (deliver) {
    absl::StatusOr<Bytes> message = ToBytes(incoming_);
    handled = message.ok() ? handler_.on_message(*std::move(message)) : message.status();
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  reading_ = false;
  if (!ok) {
    broken_ = true;
    queue_.clear();
    queued_bytes_ = 0;
    MaybeFinish();
    return;
  }
  if (!handled.ok()) {
    CloseLocked(absl::Status(handled.code(), absl::StrCat(address_, ": ", handled.message())));
  }
  reading_ = true;
  stream_->Read(&incoming_, &read_tag_);
}

void ClientStream::OnWrite(bool ok) {
  const std::lock_guard<std::mutex> lock(mutex_);
  writing_ = false;
  // A failed write means that the stream is dead; the read under way fails too and says so.
  if (ok) {
    MaybeWrite();
  } else {
    queue_.clear();
    queued_bytes_ = 0;
  }
  MaybeFinish();
}

void ClientStream::OnFinish(bool /*ok*/) {
  absl::Status status;
  std::shared_ptr<ClientStream> self;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    QUIPU_CHECK(!closed_);
    closed_ = true;
    status = close_reason_ ? *close_reason_ : FromGrpcStatus(finish_status_, address_);
    self = std::move(self_);
    // The handle may live on; the connection must not.
    stream_.reset();
    context_.reset();
    channel_.reset();
  }
  {  // what it holds may go with whoever waits for the end of all calls
    const RawHandler handler = std::exchange(handler_, {});
    handler.on_closed(std::move(status));
  }
  calls_.Unregister(this);
}

// What the caller holds: when it goes, the stream is closed.
class ClientStreamHandle final : public RawSender {
 public:
  explicit ClientStreamHandle(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
  ~ClientStreamHandle() override { stream_->Close(absl::CancelledError("closed by its owner")); }
  ClientStreamHandle(const ClientStreamHandle&) = delete;
  ClientStreamHandle& operator=(const ClientStreamHandle&) = delete;
  void Send(ByteChain message) override { stream_->Send(std::move(message)); }
  [[nodiscard]] size_t queued_bytes() const override { return stream_->queued_bytes(); }
  void Close(absl::Status reason) override { stream_->Close(std::move(reason)); }

 private:
  std::shared_ptr<ClientStream> stream_;
};

}  // namespace

std::unique_ptr<RawSender> OpenRawStream(CallThread& calls, StreamTarget target,
                                         RawHandler handler) {
  auto stream = std::make_shared<ClientStream>(calls.impl(), std::move(target), std::move(handler));
  stream->Start();
  return std::make_unique<ClientStreamHandle>(std::move(stream));
}

}  // namespace quipu
