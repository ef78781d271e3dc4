// The inside of CallThread; for runtime/grpc only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "runtime/grpc/call_thread.h"
#include "runtime/grpc/completion.h"

namespace quipu {

// What a CallThread can cancel. Registered while it has operations under way.
class CancellableCall {
 public:
  virtual ~CancellableCall() = default;
  // Any thread.
  virtual void Cancel() = 0;
};

class CallThread::Impl {
 public:
  // On a queue of its own that nobody empties yet.
  Impl() : own_queue_(std::make_unique<grpc::CompletionQueue>()), queue_(*own_queue_) {}
  // On a queue of its own, with a thread.
  explicit Impl(const std::string& name);
  // On a queue that somebody else empties until this object has gone.
  explicit Impl(grpc::CompletionQueue& shared) : queue_(shared) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  grpc::CompletionQueue* queue() { return &queue_; }
  // False when the thread is going down: the call must not begin.
  [[nodiscard]] bool Register(CancellableCall* call);
  // The call has nothing under way any more and will begin nothing.
  void Unregister(CancellableCall* call);
  // Cancels all calls and empties the queue of its own, on the thread that has emptied it so far.
  // Once more: nothing.
  void End();

 private:
  // Lets no call begin any more.
  void CancelAll();

  std::unique_ptr<grpc::CompletionQueue> own_queue_;  // null: shared
  grpc::CompletionQueue& queue_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::set<CancellableCall*> calls_;
  bool stopping_ = false;
  bool ended_ = false;  // thread of the queue only
  std::thread thread_;  // of the queue of its own; none: an executor's
};

// Calls back until the queue is shut down and empty; the first under the thread's new name.
void RunQueue(grpc::CompletionQueue& queue, const std::string& name);
void EmptyQueue(grpc::CompletionQueue& queue);

// A channel to one server: no proxy, no service config, no retries, no connection shared with
// another channel.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& host, uint16_t port,
                                           Duration connect_timeout);

// "127.0.0.1:9092"; an IPv6 address gets its brackets.
std::string AddressText(const std::string& host, uint16_t port);

// The same code; `address` is put before the message.
absl::Status FromGrpcStatus(const grpc::Status& status, const std::string& address);

}  // namespace quipu
