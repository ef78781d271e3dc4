#include "runtime/grpc/call_thread.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "runtime/grpc/call_thread_impl.h"

namespace quipu {

CallThread::CallThread(std::string name) : impl_(std::make_unique<Impl>(std::move(name))) {}
CallThread::CallThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CallThread::~CallThread() = default;

CallThread::Impl::Impl(std::string name)
    : own_queue_(std::make_unique<grpc::CompletionQueue>()), queue_(*own_queue_) {
  thread_ = std::thread([this, name = name.substr(0, 15)] { RunQueue(queue_, name); });
}

CallThread::Impl::~Impl() {
  QUIPU_CHECK_MSG(std::this_thread::get_id() != thread_.get_id(), "a CallThread cannot end itself");
  {
    std::unique_lock<std::mutex> lock(mutex_);
    stopping_ = true;
    for (CancellableCall* call : calls_) call->Cancel();
    idle_.wait(lock, [this] { return calls_.empty(); });
  }
  if (!thread_.joinable()) return;
  queue_.Shutdown();
  thread_.join();
}

bool CallThread::Impl::Register(CancellableCall* call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return false;
  calls_.insert(call);
  return true;
}

void CallThread::Impl::Unregister(CancellableCall* call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  QUIPU_CHECK(calls_.erase(call) == 1);
  if (calls_.empty()) idle_.notify_all();
}

void RunQueue(grpc::CompletionQueue& queue, const std::string& name) {
  pthread_setname_np(pthread_self(), name.c_str());
  EmptyQueue(queue);
}

void EmptyQueue(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<CompletionTag*>(tag)->OnEvent(ok);
}

std::string AddressText(const std::string& host, uint16_t port) {
  if (host.find(':') != std::string::npos) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& host, uint16_t port,
                                           Duration connect_timeout) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMax));
  arguments.SetMaxSendMessageSize(static_cast<int>(kMessageBytesMax));
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // gRPC's name for the time that one attempt to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   static_cast<int>(std::max<int64_t>(ToMillis(connect_timeout), 100)));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(AddressText(host, port), grpc::InsecureChannelCredentials(),
                                   arguments);
}

absl::Status FromGrpcStatus(const grpc::Status& status, const std::string& address) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(address, ": ", status.error_message()));
}

}  // namespace quipu
