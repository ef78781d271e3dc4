#include "broker/process/peer_streams.h"

#include <utility>

#include "core/request/log_codec.h"
#include "runtime/answer_sender.h"

namespace quipu {
namespace {

RawHandler AcceptFollower(BrokerNode& node, std::shared_ptr<RawSender> stream,
                          std::shared_ptr<Refusals> refusals) {
  ByteChain (*const encode)(const LeaderToReplica&) = &Encode;
  return DecodeWith<ReplicaToLeader>(
      &DecodeReplicaToLeader,
      node.AcceptReplicaStream(std::make_shared<AnswerSender<LeaderToReplica>>(
          std::move(stream), "Replica/Follow", std::move(refusals), encode)));
}

RawHandler AcceptListOffsets(BrokerNode& node, std::shared_ptr<RawSender> stream,
                             std::shared_ptr<Refusals> refusals) {
  using Answers = AnswerSender<message::ListOffsetsResponse>;
  auto answers =
      std::make_shared<Answers>(std::move(stream), "Replica/ListOffsets", std::move(refusals),
                                &EncodeProto<message::ListOffsetsResponse>);
  return ProtoHandler<message::ListOffsetsRequest>(
      {.on_message =
           [&node, answers](message::ListOffsetsRequest request) {
             node.ListOffsets(std::move(request), [answers](message::ListOffsetsResponse response) {
               answers->Send(std::move(response));
             });
           },
       .on_closed = [](const absl::Status&) {}});
}

}  // namespace

SocketStreamAcceptor PeerStreams(const NodeHolder& node, std::shared_ptr<Refusals> refusals) {
  return [&node, refusals = std::move(refusals)](
             const StreamOpening& opening,
             std::shared_ptr<RawSender> stream) -> absl::StatusOr<RawHandler> {
    return opening.purpose == StreamPurpose::kFollow
               ? AcceptFollower(*node, std::move(stream), refusals)
               : AcceptListOffsets(*node, std::move(stream), refusals);
  };
}

}  // namespace quipu
