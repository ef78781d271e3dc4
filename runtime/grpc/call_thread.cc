#include "runtime/grpc/call_thread.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "runtime/grpc/call_thread_impl.h"
#include "runtime/grpc/queue_events.h"

namespace quipu {

CallThread::CallThread(std::string name) : impl_(std::make_shared<Impl>(name)) {}
CallThread::CallThread(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
CallThread::~CallThread() = default;

std::unique_ptr<CallThread> CallThread::ForExecutor() {
  return std::make_unique<CallThread>(std::make_shared<Impl>());
}

std::shared_ptr<EventSource> CallThread::events() const {
  return std::make_shared<QueueEvents>(impl_);
}

CallThread::Impl::Impl(const std::string& name) : Impl() {
  thread_ = std::thread([this, name = name.substr(0, 15)] { RunQueue(queue_, name); });
}

CallThread::Impl::~Impl() {
  QUIPU_CHECK_MSG(std::this_thread::get_id() != thread_.get_id(), "a CallThread cannot end itself");
  if (own_queue_ != nullptr && !thread_.joinable()) {
    End();
    return;
  }
  CancelAll();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return calls_.empty(); });
  }
  if (own_queue_ == nullptr) return;
  queue_.Shutdown();
  thread_.join();
}

void CallThread::Impl::CancelAll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  for (CancellableCall* call : calls_) call->Cancel();
}

void CallThread::Impl::End() {
  if (std::exchange(ended_, true)) return;
  CancelAll();
  const auto under_way = [this] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return !calls_.empty();
  };
  void* tag = nullptr;
  bool ok = false;
  while (under_way() && queue_.Next(&tag, &ok)) static_cast<CompletionTag*>(tag)->OnEvent(ok);
  queue_.Shutdown();
  EmptyQueue(queue_);
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
