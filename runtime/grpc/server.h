// A gRPC listener on completion queues: raw bidirectional streams and plain unary calls.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/time.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/raw_stream.h"
#include "runtime/refusals.h"

namespace quipu {

// The server's end of one accepted stream.
//
// Answers that come later are announced, so that a peer that sends without reading is slowed down
// instead of filling memory: reading pauses while announced work or unsent bytes are above the
// limits of StreamLimits. A peer that ends its half is still sent the answers announced.
class ServerStream : public RawSender {
 public:
  // A request of `bytes` was taken over and will be answered. Call it in on_message.
  virtual void BeginRequest(size_t bytes) = 0;
  // Its answer was sent (or there is none). Any thread.
  virtual void EndRequest(size_t bytes) = 0;
  // "ipv4:127.0.0.1:51234", for logs.
  [[nodiscard]] virtual const std::string& peer() const = 0;
  // The name that its method was added with.
  [[nodiscard]] virtual const std::string& method() const = 0;
  // Where what its answers refuse is counted: see AnswerSender.
  [[nodiscard]] virtual const std::shared_ptr<Refusals>& refusals() const = 0;
};

struct StreamLimits {
  size_t requests_max = 1024;                   // announced and not answered
  size_t request_bytes_max = size_t{32} << 20;  // bytes of those
  size_t queue_pause_bytes = size_t{8} << 20;   // unsent bytes at which reading pauses
  size_t queue_bytes_max = size_t{128} << 20;   // unsent bytes at which the stream is cut
};

// Called for each accepted stream, on a listener thread. The handler is called one message at a
// time on that thread and must not block; `on_closed` comes exactly once and last. Keep `stream` no
// longer than until on_closed.
using StreamAcceptor = std::function<RawHandler(std::shared_ptr<ServerStream> stream)>;

// How gRPC is asked for the next call of a stream method (`service->RequestX` of generated code).
using RequestStreamFn = std::function<void(
    grpc::ServerContext*, grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>*,
    grpc::ServerCompletionQueue*, void* tag)>;
template <typename Request, typename Response>
using RequestUnaryFn =
    std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                       grpc::ServerCompletionQueue*, void* tag)>;
// `reply` is called exactly once, from any thread.
template <typename Request, typename Response>
using UnaryHandler = std::function<void(Request request, std::function<void(Response)> reply)>;

class ServerCore;

// One listening socket with its services and threads. Set up with Add..., then Start, then
// Shutdown. Garbage on the port ends that connection only.
//
// What is refused is counted here, for all services alike: each error in an answer under its call,
// kInvalidRequest for bytes that are no request, kLimitReached for a peer that does not read.
class GrpcServer {
 public:
  struct Options {
    std::string name;  // in thread names and logs
    std::string host = "127.0.0.1";
    uint16_t port = 0;                            // 0: any free one
    size_t threads = 1;                           // each with a completion queue of its own
    int streams_max = 1000;                       // concurrent calls per connection
    size_t memory_bytes_max = size_t{512} << 20;  // of gRPC's own buffers
    bool reflection = true;
    // Where refusals are counted; by default nobody asks.
    std::shared_ptr<Refusals> refusals = std::make_shared<Refusals>();
  };
  explicit GrpcServer(Options options);
  // As Shutdown without grace.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // The service's asynchronous object; its methods are then served by AddStream and AddUnary.
  void AddService(std::unique_ptr<grpc::Service> service);
  // `full_name` ("Log/Produce") is what logs and metrics call the method.
  void AddStream(std::string full_name, RequestStreamFn request, StreamLimits limits,
                 StreamAcceptor acceptor);
  template <typename Request, typename Response>
  void AddUnary(std::string full_name, RequestUnaryFn<Request, Response> request,
                UnaryHandler<Request, Response> handler);

  // Binds the socket; callers who connect wait for Serve. UNAVAILABLE when the address is taken or
  // not ours: the message says what to do.
  absl::Status Bind();
  // Begins to take calls, after Bind.
  void Serve();
  // Both.
  absl::Status Start();
  // The port that is listened on, after Bind.
  [[nodiscard]] uint16_t port() const;
  // For calls to others, after Bind: they get their callbacks on a thread of this server, which is
  // one hand-over less than two threads that wait for the same process's sockets. Destroy it before
  // the server, not on that thread.
  std::unique_ptr<CallThread> MakeCallThread();
  // Refuses new calls at once and cuts what is still open after `grace`. Blocks until every
  // on_closed has returned; the threads end with this object. Not from a handler. Late replies are
  // dropped.
  void Shutdown(Duration grace);

 private:
  struct State;
  std::unique_ptr<State> state_;
  ServerCore* core_;  // inside state_; what AddUnary's template needs of it
};

}  // namespace quipu

#include "runtime/grpc/server_unary.h"  // AddUnary's definition
