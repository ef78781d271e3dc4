// The thread that drives the outgoing calls of a process.
#pragma once

#include <memory>
#include <string>

#include "runtime/event_source.h"

namespace quipu {

// One gRPC completion queue and who empties it: a thread of its own, a server's
// (GrpcServer::MakeCallThread) or an executor's. All outgoing streams (stream_client.h) and unary
// calls (unary_client.h) given this object get their callbacks on this one thread, one at a time.
//
// The end, of this object or of the executor, cancels every open stream and call and delivers each
// `on_closed` and `done`; the destructor must not run on a thread of its own or of a server. Calls
// begun meanwhile or later fail at once, with their callback on the caller's thread. Thread-safe
// otherwise.
class CallThread {
 public:
  // With a thread of its own.
  explicit CallThread(std::string name = "grpc-client");
  ~CallThread();
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;
  // For the thread of an executor: what goes out and what comes back are no hand-over then. Give it
  // events() and stop it before the destruction.
  static std::unique_ptr<CallThread> ForExecutor();
  [[nodiscard]] std::shared_ptr<EventSource> events() const;

  // For the transport's own files.
  class Impl;
  explicit CallThread(std::shared_ptr<Impl> impl);
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace quipu
