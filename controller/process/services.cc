#include "controller/process/services.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/answer_sender.h"
#include "runtime/typed_stream.h"

namespace quipu {

// One stream carries all that a broker asks; each kind of request is a call of its own.
template <>
struct AnswerRefusals<message::ControllerToBroker> {
  static void Count(const std::string& call, const message::ControllerToBroker& answer,
                    Refusals& refusals) {
    const auto count = [&](absl::string_view kind, const auto& response) {
      ForEachError(response, [&](ErrorCode error) {
        if (error != ErrorCode::kNone) refusals.Add(absl::StrCat("Control/", kind), error);
      });
    };
    switch (answer.response_case()) {
      case message::ControllerToBroker::kRegister:
        return count("RegisterBroker", answer.register_());
      case message::ControllerToBroker::kHeartbeat:
        return count("BrokerHeartbeat", answer.heartbeat());
      case message::ControllerToBroker::kAlterPartitions:
        return count("AlterPartitions", answer.alter_partitions());
      case message::ControllerToBroker::kAllocateProducerIds:
        return count("AllocateProducerIds", answer.allocate_producer_ids());
      case message::ControllerToBroker::kAdmin:
        return count("Admin", answer.admin());
      case message::ControllerToBroker::kNotController:
        return refusals.Add(call, ErrorCode::kNotController);
      case message::ControllerToBroker::kMetadata:
      case message::ControllerToBroker::RESPONSE_NOT_SET:
        return;
    }
  }
};
namespace {

// Requests must be read however much is still unsent to that broker; past queue_bytes_max it is cut
// off and comes back by a snapshot.
StreamLimits NeverPause() {
  StreamLimits limits;
  limits.queue_pause_bytes = limits.queue_bytes_max;
  return limits;
}

}  // namespace

void AddControlService(GrpcServer& server, const ControllerHolder& node) {
  using Service = rpc::Control::WithRawMethod_Broker<rpc::Control::Service>;
  auto owned = std::make_unique<Service>();
  Service* service = owned.get();
  server.AddService(std::move(owned));
  server.AddStream(
      "Control/Broker",
      [service](auto* context, auto* stream, auto* queue, void* tag) {
        service->RequestBroker(context, stream, queue, queue, tag);
      },
      NeverPause(),
      [&node](const std::shared_ptr<ServerStream>& stream) {
        return ProtoHandler<message::BrokerToController>(
            node->AcceptControlStream(std::make_unique<AnswerSender<message::ControllerToBroker>>(
                stream, stream->method(), stream->refusals(),
                &EncodeProto<message::ControllerToBroker>)));
      });
}

void AddRaftService(GrpcServer& server, const ControllerHolder& node) {
  using Service = rpc::Raft::WithRawMethod_Messages<rpc::Raft::Service>;
  auto owned = std::make_unique<Service>();
  Service* service = owned.get();
  server.AddService(std::move(owned));
  server.AddStream(
      "Raft/Messages",
      [service](auto* context, auto* stream, auto* queue, void* tag) {
        service->RequestMessages(context, stream, queue, queue, tag);
      },
      NeverPause(),
      [&node](const std::shared_ptr<ServerStream>&) {
        // One way: answers travel on the stream that this node opens to the other voter.
        return ProtoHandler<message::RaftMessage>(
            {.on_message =
                 [&node](message::RaftMessage message) { node->OnRaftMessage(std::move(message)); },
             .on_closed = [](const absl::Status&) {}});
      });
}

}  // namespace quipu
