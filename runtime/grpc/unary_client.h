// Outgoing unary calls.
//
//   CallThread calls;
//   UnaryClient client(calls, "127.0.0.1", 9092);
//   client.Call<MetadataRequest, MetadataResponse>(
//       "/quipu.rpc.Broker/Metadata", request, std::chrono::seconds(5),
//       [](absl::StatusOr<MetadataResponse> response) { ... });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/time.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/typed_stream.h"

namespace quipu {

// Unary calls to one server over one connection, which is made at the first call and again after it
// broke. Calls run concurrently, in any order. Thread-safe. Destroying the client does not end
// calls under way. `calls` must outlive it.
class UnaryClient {
 public:
  UnaryClient(CallThread& calls, const std::string& host, uint16_t port,
              Duration connect_timeout = std::chrono::milliseconds(2000));
  ~UnaryClient();
  UnaryClient(const UnaryClient&) = delete;
  UnaryClient& operator=(const UnaryClient&) = delete;

  // Calls `done` exactly once on the call thread. Errors carry the address: UNAVAILABLE (no
  // connection; a refused one is told at once), DEADLINE_EXCEEDED (`timeout` passed: the outcome is
  // unknown), UNIMPLEMENTED, or what the server said.
  template <typename Request, typename Response>
  void Call(const std::string& method, const Request& request, Duration timeout,
            std::function<void(absl::StatusOr<Response>)> done) {
    CallRaw(method, Bytes(request.SerializeAsString()), timeout,
            [done = std::move(done)](absl::StatusOr<Bytes> answer) {
              if (!answer.ok()) {
                done(answer.status());
              } else {
                done(DecodeProto<Response>(*answer));
              }
            });
  }

  void CallRaw(const std::string& method, Bytes request, Duration timeout,
               std::function<void(absl::StatusOr<Bytes>)> done);

 private:
  struct Channel;
  CallThread& calls_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace quipu
