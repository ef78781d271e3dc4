// The thread that drives the outgoing calls of a process.
#pragma once

#include <memory>
#include <string>

namespace quipu {

// One gRPC completion queue and its thread, its own or a server's (GrpcServer::MakeCallThread). All
// outgoing streams (stream_client.h) and unary calls (unary_client.h) given this object get their
// callbacks on this one thread, one at a time.
//
// The destructor cancels every open stream and call, delivers each `on_closed` and `done`, and
// joins; it must not run on the thread itself. Calls begun while it runs fail at once, with their
// callback on the caller's thread. Thread-safe otherwise.
class CallThread {
 public:
  explicit CallThread(std::string name = "grpc-client");
  ~CallThread();
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  // For the transport's own files.
  class Impl;
  explicit CallThread(std::unique_ptr<Impl> impl);
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace quipu
