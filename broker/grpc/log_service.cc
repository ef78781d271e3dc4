// The fast path's listener end: frames in, frames out, no protobuf objects.
#include <algorithm>
#include <memory>
#include <utility>

#include "broker/grpc/services.h"
#include "core/request/log_codec.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/answer_sender.h"

namespace quipu {
namespace {

using LogService =
    rpc::Log::WithRawMethod_Produce<rpc::Log::WithRawMethod_Fetch<rpc::Log::Service>>;

// A message carries at most 1 MiB of batches, or one larger batch alone; a client that wants more
// asks again.
constexpr int32_t kFetchMessageBytesMax = 1 << 20;
// Long polls that one stream may have waiting: a consumer has one per broker, a proxy a few more.
constexpr size_t kFetchesPerStreamMax = 256;

RawHandler AcceptProduce(const NodeHolder& node, const std::shared_ptr<ServerStream>& stream) {
  ByteChain (*const encode)(const ProduceResponse&) = &Encode;
  auto answers = std::make_shared<AnswerSender<ProduceResponse>>(stream, stream->method(),
                                                                 stream->refusals(), encode);
  return RawHandler{.on_message =
                        [&node, stream, answers](const Bytes& bytes) {
                          absl::StatusOr<ProduceRequest> request = DecodeProduceRequest(bytes);
                          if (!request.ok()) {
                            return absl::InvalidArgumentError(request.status().message());
                          }
                          const size_t size = bytes.size();
                          // acks=0 means that the client does not want to hear (Kafka).
                          const bool answered = request->acks != 0;
                          stream->BeginRequest(size);
                          node->Produce(*std::move(request), [stream, answers, size,
                                                              answered](ProduceResponse response) {
                            if (answered) {
                              answers->Send(std::move(response));
                            } else {
                              answers->Count(response);
                            }
                            stream->EndRequest(size);
                          });
                          return absl::OkStatus();
                        },
                    .on_closed = [](const absl::Status&) {}};
}

RawHandler AcceptFetch(const NodeHolder& node, const std::shared_ptr<ServerStream>& stream) {
  ByteChain (*const encode)(const FetchResponse&) = &Encode;
  auto answers = std::make_shared<AnswerSender<FetchResponse>>(stream, stream->method(),
                                                               stream->refusals(), encode);
  return RawHandler{.on_message =
                        [&node, stream, answers](const Bytes& bytes) {
                          absl::StatusOr<FetchRequest> request = DecodeFetchRequest(bytes);
                          if (!request.ok()) {
                            return absl::InvalidArgumentError(request.status().message());
                          }
                          request->max_bytes = std::min(request->max_bytes, kFetchMessageBytesMax);
                          const size_t size = bytes.size();
                          stream->BeginRequest(size);
                          node->Fetch(*std::move(request),
                                      [stream, answers, size](FetchResponse response) {
                                        answers->Send(std::move(response));
                                        stream->EndRequest(size);
                                      });
                          return absl::OkStatus();
                        },
                    .on_closed = [](const absl::Status&) {}};
}

}  // namespace

void AddLogService(GrpcServer& server, const NodeHolder& node) {
  auto owned = std::make_unique<LogService>();
  LogService* service = owned.get();
  server.AddService(std::move(owned));
  server.AddStream(
      "Log/Produce",
      [service](auto* context, auto* stream, auto* queue, void* tag) {
        service->RequestProduce(context, stream, queue, queue, tag);
      },
      StreamLimits{},
      [&node](const std::shared_ptr<ServerStream>& stream) { return AcceptProduce(node, stream); });
  server.AddStream(
      "Log/Fetch",
      [service](auto* context, auto* stream, auto* queue, void* tag) {
        service->RequestFetch(context, stream, queue, queue, tag);
      },
      StreamLimits{.requests_max = kFetchesPerStreamMax},
      [&node](const std::shared_ptr<ServerStream>& stream) { return AcceptFetch(node, stream); });
}

}  // namespace quipu
