// Unary calls of a GrpcServer. Included by server.h.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "runtime/answer_errors.h"
#include "runtime/grpc/server.h"
#include "runtime/grpc/server_core.h"

namespace quipu {

// The address in gRPC's name of a peer, without its port: "127.0.0.1" of "ipv4:127.0.0.1:4711",
// "::1" of "ipv6:%5B::1%5D:4711"; the whole name of anything else.
std::string HostOfPeer(const std::string& peer);

// One unary call from the moment it is asked for to the moment its answer is on its way. gRPC holds
// a reference (self_) while it has an operation of it; the reply function holds another, so a reply
// that comes after the caller has gone finds memory and is dropped.
template <typename Request, typename Response>
class ServerUnaryCall : public std::enable_shared_from_this<ServerUnaryCall<Request, Response>> {
 public:
  struct Method {
    std::string full_name;
    RequestUnaryFn<Request, Response> request;
    UnaryHandler<Request, Response> handler;
  };
  ServerUnaryCall(ServerCore& core, grpc::ServerCompletionQueue* queue,
                  std::shared_ptr<const Method> method)
      : core_(core), refusals_(core.refusals), queue_(queue), method_(std::move(method)) {}

  // Asks gRPC for the method's next call.
  void Accept() {
    core_.live.Add();
    self_ = this->shared_from_this();
    context_.AsyncNotifyWhenDone(&done_tag_);
    method_->request(&context_, &request_, &responder_, queue_, &accept_tag_);
  }

 private:
  void OnAccepted(bool ok) {
    if (!ok) {
      Release();
      return;
    }
    if (!core_.stopping.load()) {
      std::make_shared<ServerUnaryCall>(core_, queue_, method_)->Accept();
    }
    // The caller's address, for a request that has a place for it.
    if constexpr (requires(Request& request) { request.set_client_host(std::string()); }) {
      request_.set_client_host(HostOfPeer(context_.peer()));
    }
    method_->handler(std::move(request_), [self = this->shared_from_this()](Response response) {
      self->Reply(std::move(response));
    });
  }

  void Reply(Response response) {
    AnswerRefusals<Response>::Count(method_->full_name, response, *refusals_);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (done_ || finishing_) return;
    finishing_ = true;
    responder_.Finish(response, grpc::Status::OK, &finish_tag_);
  }

  void OnFinished(bool /*ok*/) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      finished_ = true;
      if (!done_) return;
    }
    Release();
  }

  void OnDone(bool /*ok*/) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ = true;
      if (finishing_ && !finished_) return;
    }
    Release();
  }

  void Release() {
    ServerCore& core = core_;
    self_.reset();  // may delete this
    core.live.Remove();
  }

  ServerCore& core_;
  const std::shared_ptr<Refusals> refusals_;  // a late reply may outlive the core
  grpc::ServerCompletionQueue* queue_;
  std::shared_ptr<const Method> method_;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncResponseWriter<Response> responder_{&context_};
  std::mutex mutex_;
  bool finishing_ = false;
  bool finished_ = false;
  bool done_ = false;
  std::shared_ptr<ServerUnaryCall> self_;
  MemberTag<ServerUnaryCall> accept_tag_{this, &ServerUnaryCall::OnAccepted};
  MemberTag<ServerUnaryCall> finish_tag_{this, &ServerUnaryCall::OnFinished};
  MemberTag<ServerUnaryCall> done_tag_{this, &ServerUnaryCall::OnDone};
};

template <typename Request, typename Response>
void GrpcServer::AddUnary(std::string full_name, RequestUnaryFn<Request, Response> request,
                          UnaryHandler<Request, Response> handler) {
  using Call = ServerUnaryCall<Request, Response>;
  auto method = std::make_shared<const typename Call::Method>(
      typename Call::Method{std::move(full_name), std::move(request), std::move(handler)});
  core_->methods.push_back([method](ServerCore& core, grpc::ServerCompletionQueue* queue) {
    std::make_shared<Call>(core, queue, method)->Accept();
  });
}

}  // namespace quipu
