// FindCoordinator: which broker coordinates a group. KIP-699 (several at once).
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/topic_lookup.h"
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
                          const FoundCoordinator& found) {
  const ErrorCode error = found.error;
  if (error != ErrorCode::kNone) return Refused(key, error, std::string(ErrorDescription(error)));
  std::vector<NodeEndpoint> endpoints;
  AddEndpoint(image, found.broker, endpoints);
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
  std::vector<Coordinator> all;
  if (request.key_type == kGroup) {
    const std::vector<FoundCoordinator> found = context.node.FindCoordinators(keys);
    const MetadataImagePtr image = context.node.image();
    for (size_t i = 0; i < keys.size(); ++i) {
      all.push_back(ToCoordinator(keys[i], image.get(), found[i]));
    }
  } else {
    for (const std::string& key : keys) {
      all.push_back(Refused(key, ErrorCode::kInvalidRequest, "only groups have coordinators here"));
    }
  }
  call->Answer(Answer(call->version(), std::move(all)));
  return absl::OkStatus();
}

}  // namespace quipu::kafka
