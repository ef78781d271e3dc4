// A real listener on 127.0.0.1 whose Produce stream echoes and whose unary calls do what the
// request asks for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/grpc/server.h"
#include "runtime/grpc/stream_client.h"
#include "runtime/grpc/unary_client.h"
#include "tests/unit/runtime/stream_probe.h"

namespace quipu {

inline void Open(StreamProbe& probe, CallThread& calls, uint16_t port,
                 const std::string& method = kProduceMethod) {
  probe.sender = OpenRawStream(
      calls, {.host = "127.0.0.1", .port = port, .method = method, .queue_bytes_max = 1 << 30},
      probe.Handler());
}

class EchoServer {
 public:
  using LogService =
      rpc::Log::WithRawMethod_Produce<rpc::Log::WithRawMethod_Fetch<rpc::Log::Service>>;

  // `acceptor` serves the Fetch stream; nothing: that stream is closed with UNIMPLEMENTED.
  explicit EchoServer(size_t threads = 1, uint16_t port = 0, StreamAcceptor fetch = nullptr,
                      StreamLimits fetch_limits = {}, bool start = true)
      : server_({.name = "echo", .port = port, .threads = threads, .refusals = refusals_}) {
    auto log = std::make_unique<LogService>();
    auto* raw_log = log.get();
    auto broker = std::make_unique<rpc::Broker::AsyncService>();
    auto* raw_broker = broker.get();
    server_.AddService(std::move(log));
    server_.AddService(std::move(broker));
    server_.AddStream(
        "Log/Produce",
        [raw_log](auto* context, auto* stream, auto* queue, void* tag) {
          raw_log->RequestProduce(context, stream, queue, queue, tag);
        },
        {}, [this](std::shared_ptr<ServerStream> stream) { return Echo(std::move(stream)); });
    if (fetch) {
      server_.AddStream(
          "Log/Fetch",
          [raw_log](auto* context, auto* stream, auto* queue, void* tag) {
            raw_log->RequestFetch(context, stream, queue, queue, tag);
          },
          fetch_limits, std::move(fetch));
    }
    server_.AddUnary<message::MetadataRequest, message::MetadataResponse>(
        "Broker/Metadata",
        [raw_broker](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw_broker->RequestMetadata(context, request, responder, queue, queue, tag);
        },
        [this](message::MetadataRequest request,
               std::function<void(message::MetadataResponse)> reply) {
          OnMetadata(request, std::move(reply));
        });
    if (start) {
      EXPECT_TRUE(server_.Start().ok());
    }
  }

  GrpcServer& server() { return server_; }
  [[nodiscard]] uint16_t port() const { return server_.port(); }
  [[nodiscard]] Refusals::Counts refusals() const { return refusals_->counts(); }
  [[nodiscard]] int streams_closed() const { return streams_closed_.load(); }
  Gate& gate() { return gate_; }
  // Answers of requests for the topic "later"; guarded by gate().
  std::vector<std::function<void(message::MetadataResponse)>> parked;
  int closed_count = 0;

 private:
  RawHandler Echo(std::shared_ptr<ServerStream> stream) {
    return RawHandler{.on_message =
                          [stream](Bytes message) {
                            if (message.view() == "bad") {
                              return absl::InvalidArgumentError("not a message");
                            }
                            stream->Send({std::move(message)});
                            return absl::OkStatus();
                          },
                      .on_closed =
                          [this](const absl::Status&) {
                            ++streams_closed_;
                            gate_.Update([&] { ++closed_count; });
                          }};
  }
  void OnMetadata(const message::MetadataRequest& request,
                  std::function<void(message::MetadataResponse)> reply) {
    if (request.topics_size() > 0 && request.topics(0) == "later") {
      gate_.Update([&] { parked.push_back(std::move(reply)); });
      return;
    }
    message::MetadataResponse response;
    if (request.topics_size() > 0 && request.topics(0) == "refused") {
      response.set_error_code(static_cast<int32_t>(ErrorCode::kLeaderNotAvailable));
      response.add_topics()->set_error_code(static_cast<int32_t>(ErrorCode::kInvalidTopic));
      response.add_topics();
    }
    reply(std::move(response));
  }

  Gate gate_;
  std::atomic<int> streams_closed_{0};
  const std::shared_ptr<Refusals> refusals_ = std::make_shared<Refusals>();
  GrpcServer server_;
};

}  // namespace quipu
