// DescribeCluster: the brokers that serve this protocol.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/authorized_operations.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/admin/describe_cluster.h"

namespace quipu::kafka {
namespace {

// Kafka's EndpointType.
constexpr int8_t kBrokers = 1;
constexpr int8_t kControllers = 2;

DescribeClusterResponse Refused(ErrorCode error, std::string message) {
  DescribeClusterResponse response;
  response.error_code = error;
  response.error_message = std::move(message);
  return response;
}

}  // namespace

absl::Status HandleDescribeCluster(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const DescribeClusterRequest request,
                         call->Decode<DescribeClusterRequest>());
  if (request.endpoint_type != kBrokers) {
    call->Answer(request.endpoint_type == kControllers
                     ? Refused(ErrorCode::kMismatchedEndpointType,
                               "controllers do not speak this protocol; ask for the brokers")
                     : Refused(ErrorCode::kUnsupportedEndpointType,
                               "there are endpoints of brokers (1) alone"));
    return absl::OkStatus();
  }
  const MetadataImagePtr image = context.node.image();
  if (image == nullptr) {
    call->Answer(Refused(ErrorCode::kCoordinatorNotAvailable, "no metadata have come yet"));
    return absl::OkStatus();
  }
  DescribeClusterResponse response;
  response.cluster_id = image->cluster_id().ToText();
  // Every broker passes on what only the controller may decide.
  response.controller_id = context.config.broker_id;
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kClusterOperations;
  }
  for (const auto& [id, broker] : image->brokers()) {
    if (broker.fenced && !request.include_fenced_brokers) continue;
    std::vector<NodeEndpoint> endpoints;
    AddEndpoint(image.get(), id, endpoints);
    for (NodeEndpoint& endpoint : endpoints) {
      response.brokers.push_back({.broker_id = id,
                                  .host = std::move(endpoint.host),
                                  .port = endpoint.port,
                                  .rack = std::move(endpoint.rack),
                                  .is_fenced = broker.fenced});
    }
  }
  call->Answer(response);
  return absl::OkStatus();
}

}  // namespace quipu::kafka
