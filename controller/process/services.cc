#include "controller/process/services.h"

#include <utility>

#include "proto/rpc/services.grpc.pb.h"
#include "runtime/grpc/typed_stream.h"

namespace quipu {
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
      [&node](std::shared_ptr<ServerStream> stream) {
        return ProtoHandler<message::BrokerToController>(
            node->AcceptControlStream(ProtoSender<message::ControllerToBroker>(std::move(stream))));
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
