#include "client/broker_connections.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "core/request/log_codec.h"
#include "runtime/grpc/stream_client.h"

namespace quipu {

std::pair<std::string, uint16_t> SplitAddress(const ServerAddress& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, 0};
  uint32_t port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) port = 0;
  return {address.substr(0, colon), static_cast<uint16_t>(port)};
}

BrokerConnections::BrokerConnections(CallThread& calls, Executor& owner, Events events)
    : calls_(calls), owner_(owner), events_(std::move(events)) {}

BrokerConnections::Stream<ProduceRequest>& BrokerConnections::OpenProduce(
    const ServerAddress& address) {
  Stream<ProduceRequest>& stream = produce_[address];
  if (stream.sender != nullptr) return stream;
  stream.generation = ++last_generation_;
  const uint64_t generation = stream.generation;
  // The handlers may outlive this object, but not `owner_`, which is stopped by then.
  auto [host, port] = SplitAddress(address);
  MessageHandler<ProduceResponse> handler{
      .on_message =
          [this, owner = &owner_, address, generation](ProduceResponse response) {
            owner->Post([this, address, generation, answer = std::move(response)]() mutable {
              const auto found = produce_.find(address);
              if (found == produce_.end() || found->second.generation != generation) return;
              events_.on_produce_response(address, std::move(answer));
            });
          },
      .on_closed =
          [this, owner = &owner_, address, generation](absl::Status status) {
            owner->Post([this, address, generation, status] {
              const auto found = produce_.find(address);
              if (found == produce_.end() || found->second.generation != generation) return;
              produce_.erase(found);
              events_.on_produce_closed(address, status);
            });
          }};
  stream.sender = OpenStream<ProduceRequest, ProduceResponse>(
      calls_, {.host = host, .port = port, .method = kProduceMethod}, &Encode,
      &DecodeProduceResponse, std::move(handler));
  return stream;
}

BrokerConnections::Stream<FetchRequest>& BrokerConnections::OpenFetch(
    const ServerAddress& address) {
  Stream<FetchRequest>& stream = fetch_[address];
  if (stream.sender != nullptr) return stream;
  stream.generation = ++last_generation_;
  const uint64_t generation = stream.generation;
  auto [host, port] = SplitAddress(address);
  MessageHandler<FetchResponse> handler{
      .on_message =
          [this, owner = &owner_, address, generation](FetchResponse response) {
            owner->Post([this, address, generation, answer = std::move(response)]() mutable {
              const auto found = fetch_.find(address);
              if (found == fetch_.end() || found->second.generation != generation) return;
              events_.on_fetch_response(address, std::move(answer));
            });
          },
      .on_closed =
          [this, owner = &owner_, address, generation](absl::Status status) {
            owner->Post([this, address, generation, status] {
              const auto found = fetch_.find(address);
              if (found == fetch_.end() || found->second.generation != generation) return;
              fetch_.erase(found);
              events_.on_fetch_closed(address, status);
            });
          }};
  stream.sender = OpenStream<FetchRequest, FetchResponse>(
      calls_, {.host = host, .port = port, .method = kFetchMethod}, &Encode, &DecodeFetchResponse,
      std::move(handler));
  return stream;
}

void BrokerConnections::Send(ProduceSend send) {
  OpenProduce(send.address).sender->Send(std::move(send.request));
}

void BrokerConnections::Send(FetchSend send) {
  OpenFetch(send.address).sender->Send(std::move(send.request));
}

void BrokerConnections::ResetProduce(const ServerAddress& address) {
  const auto found = produce_.find(address);
  if (found == produce_.end()) return;
  found->second.sender->Close(absl::DeadlineExceededError("the broker does not answer"));
}

void BrokerConnections::ResetFetch(const ServerAddress& address) {
  const auto found = fetch_.find(address);
  if (found == fetch_.end()) return;
  found->second.sender->Close(absl::DeadlineExceededError("the broker does not answer"));
}

void BrokerConnections::CloseAll() {
  produce_.clear();
  fetch_.clear();
  unary_.clear();
}

UnaryClient& BrokerConnections::ClientOf(const ServerAddress& address) {
  std::unique_ptr<UnaryClient>& client = unary_[address];
  if (client == nullptr) {
    auto [host, port] = SplitAddress(address);
    client = std::make_unique<UnaryClient>(calls_, host, port);
  }
  return *client;
}

template <typename Request, typename Response>
void BrokerConnections::Dispatch(UnaryClient& client, CallId id, const char* method,
                                 const Request& request, Duration timeout) {
  client.Call<Request, Response>(method, request, timeout,
                                 [this, id](absl::StatusOr<Response> response) {
                                   owner_.Post([this, id, answer = std::move(response)]() mutable {
                                     if (answer.ok()) {
                                       events_.on_answered(id, UnaryResponse(*std::move(answer)));
                                     } else {
                                       events_.on_call_failed(id, answer.status());
                                     }
                                   });
                                 });
}

namespace {

// The full name of the method that takes a request, and the type of its answer.
template <typename Request>
struct MethodOf;
template <>
struct MethodOf<message::MetadataRequest> {
  static constexpr char kName[] = "/quipu.rpc.Broker/Metadata";
  using Response = message::MetadataResponse;
};
template <>
struct MethodOf<message::InitProducerIdRequest> {
  static constexpr char kName[] = "/quipu.rpc.Broker/InitProducerId";
  using Response = message::InitProducerIdResponse;
};
template <>
struct MethodOf<message::ListOffsetsRequest> {
  static constexpr char kName[] = "/quipu.rpc.Broker/ListOffsets";
  using Response = message::ListOffsetsResponse;
};
template <>
struct MethodOf<message::FindCoordinatorRequest> {
  static constexpr char kName[] = "/quipu.rpc.Groups/FindCoordinator";
  using Response = message::FindCoordinatorResponse;
};
template <>
struct MethodOf<message::GroupHeartbeatRequest> {
  static constexpr char kName[] = "/quipu.rpc.Groups/Heartbeat";
  using Response = message::GroupHeartbeatResponse;
};
template <>
struct MethodOf<message::OffsetCommitRequest> {
  static constexpr char kName[] = "/quipu.rpc.Groups/OffsetCommit";
  using Response = message::OffsetCommitResponse;
};
template <>
struct MethodOf<message::OffsetFetchRequest> {
  static constexpr char kName[] = "/quipu.rpc.Groups/OffsetFetch";
  using Response = message::OffsetFetchResponse;
};

}  // namespace

void BrokerConnections::Call(UnaryCall call) {
  UnaryClient& client = ClientOf(call.address);
  std::visit(
      [&](const auto& request) {
        using Request = std::decay_t<decltype(request)>;
        Dispatch<Request, typename MethodOf<Request>::Response>(
            client, call.id, MethodOf<Request>::kName, request, call.timeout);
      },
      call.request);
}

}  // namespace quipu
