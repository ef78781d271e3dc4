// Carries what the brains of the clients say to the brokers, and the answers back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "core/client/client_types.h"
#include "runtime/executor.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/grpc/unary_client.h"
#include "runtime/message_stream.h"

namespace quipu {

// One produce stream, one fetch stream and one connection for unary calls per address, opened when
// first used. A broken stream is reported, and only a message sent after the report opens another,
// so the owner knows that everything unanswered before the report is lost.
//
// All methods and all events run on `owner`. Stop `owner` before destroying this object, and
// destroy it before `calls`.
class BrokerConnections {
 public:
  struct Events {
    std::function<void(const ServerAddress&, ProduceResponse)> on_produce_response;
    std::function<void(const ServerAddress&, absl::Status)> on_produce_closed;
    std::function<void(const ServerAddress&, FetchResponse)> on_fetch_response;
    std::function<void(const ServerAddress&, absl::Status)> on_fetch_closed;
    std::function<void(CallId, UnaryResponse)> on_answered;
    std::function<void(CallId, absl::Status)> on_call_failed;
  };

  // `calls` and `owner` must outlive this object.
  BrokerConnections(CallThread& calls, Executor& owner, Events events);

  void Send(ProduceSend send);
  void Send(FetchSend send);
  void Call(UnaryCall call);
  // Breaks the stream; its closing is reported as usual.
  void ResetProduce(const ServerAddress& address);
  void ResetFetch(const ServerAddress& address);
  // Breaks everything. Nothing is reported afterwards.
  void CloseAll();

 private:
  template <typename Out>
  struct Stream {
    uint64_t generation = 0;
    std::unique_ptr<MessageSender<Out>> sender;
  };
  template <typename Out>
  using Streams = std::map<ServerAddress, Stream<Out>>;

  Stream<ProduceRequest>& OpenProduce(const ServerAddress& address);
  Stream<FetchRequest>& OpenFetch(const ServerAddress& address);
  UnaryClient& ClientOf(const ServerAddress& address);
  template <typename Request, typename Response>
  void Dispatch(UnaryClient& client, CallId id, const char* method, const Request& request,
                Duration timeout);

  CallThread& calls_;
  Executor& owner_;
  Events events_;
  uint64_t last_generation_ = 0;
  Streams<ProduceRequest> produce_;
  Streams<FetchRequest> fetch_;
  std::map<ServerAddress, std::unique_ptr<UnaryClient>> unary_;
};

// The parts of "host:port"; the port is 0 when there is none.
std::pair<std::string, uint16_t> SplitAddress(const ServerAddress& address);

}  // namespace quipu
