#include <memory>
#include <utility>

#include "broker/grpc/services.h"
#include "core/request/log_codec.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/grpc/typed_stream.h"

namespace quipu {

void AddReplicaService(GrpcServer& server, const NodeHolder& node) {
  using Service = rpc::Replica::WithRawMethod_Follow<rpc::Replica::Service>;
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
        ByteSlices (*const encode)(const LeaderToReplica&) = &Encode;
        auto sender = std::make_shared<EncodingSender<LeaderToReplica>>(std::move(stream), encode);
        return DecodeWith<ReplicaToLeader>(&DecodeReplicaToLeader,
                                           node->AcceptReplicaStream(std::move(sender)));
      });
}

}  // namespace quipu
