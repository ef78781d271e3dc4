#include <memory>
#include <utility>

#include "broker/grpc/node_unary.h"
#include "broker/grpc/services.h"
#include "core/request/log_codec.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/grpc/answer_sender.h"
#include "runtime/grpc/typed_stream.h"

namespace quipu {

void AddReplicaService(GrpcServer& server, const NodeHolder& node) {
  using Service = rpc::Replica::WithRawMethod_Follow<
      rpc::Replica::WithAsyncMethod_ListOffsets<rpc::Replica::Service>>;
  auto owned = std::make_unique<Service>();
  Service* service = owned.get();
  server.AddService(std::move(owned));
  StreamLimits limits;
  // Acknowledgements must be read however much is still unsent; the follower's credit bounds that.
  limits.queue_pause_bytes = limits.queue_bytes_max;
  server.AddStream(
      "Replica/Follow",
      [service](auto* context, auto* stream, auto* queue, void* tag) {
        service->RequestFollow(context, stream, queue, queue, tag);
      },
      limits,
      [&node](std::shared_ptr<ServerStream> stream) {
        ByteChain (*const encode)(const LeaderToReplica&) = &Encode;
        auto sender = std::make_shared<AnswerSender<LeaderToReplica>>(std::move(stream), encode);
        return DecodeWith<ReplicaToLeader>(&DecodeReplicaToLeader,
                                           node->AcceptReplicaStream(std::move(sender)));
      });
  AddNodeUnary(server, "Replica/ListOffsets", service, &Service::RequestListOffsets, node,
               &BrokerNode::ListOffsets);
}

}  // namespace quipu
