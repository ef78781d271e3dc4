// FindCoordinator: which broker coordinates a group. KIP-699 (several at once).
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/find_coordinator.h"

namespace quipu::kafka {
namespace {

using Coordinator = FindCoordinatorResponse::Coordinator;

constexpr int8_t kGroup = 0;
constexpr int16_t kSeveralSince = 4;  // before it the answer is for one key, in fields of its own

Coordinator Refused(const std::string& key, ErrorCode error, std::string why) {
  return {.key = key,
          .node_id = kNoBroker,
          .port = -1,
          .error_code = error,
          .error_message = std::move(why)};
}

Coordinator ToCoordinator(const std::string& key, const MetadataImage* image,
                          const message::FindCoordinatorResponse& found) {
  const ErrorCode error = GroupError(ErrorOf(found.error_code()));
  if (error != ErrorCode::kNone) return Refused(key, error, std::string(ErrorDescription(error)));
  std::vector<NodeEndpoint> endpoints;
  AddEndpoint(image, BrokerId(found.broker_id()), endpoints);
  if (endpoints.empty()) {
    return Refused(key, ErrorCode::kCoordinatorNotAvailable,
                   image == nullptr ? "this broker has not heard of the cluster yet"
                                    : "the coordinator has no listener.kafka");
  }
  return {.key = key,
          .node_id = endpoints[0].node_id,
          .host = endpoints[0].host,
          .port = endpoints[0].port};
}

FindCoordinatorResponse Answer(int16_t version, std::vector<Coordinator> found) {
  FindCoordinatorResponse response;
  if (version >= kSeveralSince) {
    response.coordinators = std::move(found);
    return response;
  }
  Coordinator& only = found.front();
  response.error_code = only.error_code;
  response.error_message = std::move(only.error_message);
  response.node_id = only.node_id;
  response.host = std::move(only.host);
  response.port = only.port;
  return response;
}

}  // namespace

absl::Status HandleFindCoordinator(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(FindCoordinatorRequest request, call->Decode<FindCoordinatorRequest>());
  std::vector<std::string> keys = std::move(request.coordinator_keys);
  if (call->version() < kSeveralSince) keys = {std::move(request.key)};
  keys = Unique(std::move(keys));
  const auto gather = Gather<std::vector<Coordinator>>::Make(
      std::vector<Coordinator>(keys.size()), keys.size(), [call](std::vector<Coordinator> found) {
        call->Answer(Answer(call->version(), std::move(found)));
      });
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string& key = keys[i];
    if (request.key_type != kGroup) {
      gather->Complete([&](auto& all) {
        all[i] = Refused(key, ErrorCode::kInvalidRequest, "only groups have coordinators here");
      });
      continue;
    }
    message::FindCoordinatorRequest asked;
    asked.set_group_id(key);
    context.node.FindCoordinator(
        std::move(asked), [gather, i, key, &node = context.node](const auto& found) {
          const MetadataImagePtr image = node.image();
          gather->Complete([&](auto& all) { all[i] = ToCoordinator(key, image.get(), found); });
        });
  }
  return absl::OkStatus();
}

}  // namespace quipu::kafka
