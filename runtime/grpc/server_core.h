// The inside of GrpcServer; for runtime/grpc only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/grpc/completion.h"
#include "runtime/refusals.h"

namespace quipu {

// Counts the calls that gRPC may still send an event for, so that the completion queues are shut
// down only when no call can start an operation any more.
class LiveCalls {
 public:
  void Add() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++count_;
  }
  void Remove() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--count_ == 0) idle_.notify_all();
  }
  void WaitIdle() {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable idle_;
  size_t count_ = 0;
};

// State shared by a server's calls.
class ServerCore {
 public:
  // Asks for the first call of one method on one queue; each accepted call asks for the next.
  using AcceptFirstFn = std::function<void(ServerCore&, grpc::ServerCompletionQueue*)>;

  explicit ServerCore(std::shared_ptr<Refusals> counts) : refusals(std::move(counts)) {}

  LiveCalls live;
  const std::shared_ptr<Refusals> refusals;
  // Set before the server shuts down: no further call is asked for.
  std::atomic<bool> stopping{false};
  std::vector<AcceptFirstFn> methods;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  std::vector<std::thread> threads;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

}  // namespace quipu
