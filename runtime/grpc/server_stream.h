// An accepted stream of a GrpcServer; for runtime/grpc only.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/grpc/server.h"
#include "runtime/grpc/server_core.h"

namespace quipu {

// One stream from the moment it is asked for. At most one read and one write are under way; the
// stream ends when the peer is gone, when Close was called and all is written, or when the peer
// ended its half and all announced answers are written.
class ServerStreamCall final : public ServerStream,
                               public std::enable_shared_from_this<ServerStreamCall> {
 public:
  struct Method {
    std::string full_name;
    RequestStreamFn request;
    StreamLimits limits;
    StreamAcceptor acceptor;
  };
  ServerStreamCall(ServerCore& core, grpc::ServerCompletionQueue* queue,
                   std::shared_ptr<const Method> method)
      : core_(core), refusals_(core.refusals), queue_cq_(queue), method_(std::move(method)) {}

  // Asks gRPC for the method's next stream.
  void Accept();

  void Send(ByteChain message) override;
  [[nodiscard]] size_t queued_bytes() const override;
  void Close(absl::Status reason) override;
  void BeginRequest(size_t bytes) override;
  void EndRequest(size_t bytes) override;
  [[nodiscard]] const std::string& peer() const override { return peer_; }
  [[nodiscard]] const std::string& method() const override { return method_->full_name; }
  [[nodiscard]] const std::shared_ptr<Refusals>& refusals() const override { return refusals_; }

 private:
  void OnAccepted(bool ok);
  void OnRead(bool ok);
  void OnWrite(bool ok);
  void OnFinished(bool ok);
  void OnDone(bool ok);
  // These need the lock.
  void Advance();
  void CloseLocked(absl::Status reason);
  [[nodiscard]] bool MayRead() const;
  [[nodiscard]] bool AllBack() const { return done_ && !reading_ && !writing_ && !finishing_; }
  // Without the lock, once AllBack: tells the handler and lets go of this.
  void Release();

  ServerCore& core_;
  const std::shared_ptr<Refusals> refusals_;  // whoever holds the stream may outlive the core
  grpc::ServerCompletionQueue* queue_cq_;
  const std::shared_ptr<const Method> method_;
  RawHandler handler_;
  std::string peer_;
  std::unique_ptr<grpc::ServerContext> context_ = std::make_unique<grpc::ServerContext>();
  using Transport = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
  std::unique_ptr<Transport> stream_ = std::make_unique<Transport>(context_.get());
  grpc::ByteBuffer incoming_;

  mutable std::mutex mutex_;
  std::deque<ByteChain> queue_;
  size_t queued_bytes_ = 0;
  size_t requests_ = 0;
  size_t request_bytes_ = 0;
  bool handling_ = false;  // on_message runs: it decides what follows
  bool reading_ = false;
  bool writing_ = false;
  bool half_closed_ = false;  // the peer sends nothing more
  bool broken_ = false;       // nothing more can be written
  bool finish_begun_ = false;
  bool finishing_ = false;  // the finish operation is under way
  bool done_ = false;       // gRPC has said that the call is over
  std::optional<absl::Status> close_reason_;
  std::shared_ptr<ServerStreamCall> self_;

  MemberTag<ServerStreamCall> accept_tag_{this, &ServerStreamCall::OnAccepted};
  MemberTag<ServerStreamCall> read_tag_{this, &ServerStreamCall::OnRead};
  MemberTag<ServerStreamCall> write_tag_{this, &ServerStreamCall::OnWrite};
  MemberTag<ServerStreamCall> finish_tag_{this, &ServerStreamCall::OnFinished};
  MemberTag<ServerStreamCall> done_tag_{this, &ServerStreamCall::OnDone};
};

}  // namespace quipu
