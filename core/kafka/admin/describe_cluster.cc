// DescribeCluster: the fields of request and response, version by version.
#include "core/kafka/admin/describe_cluster.h"

namespace quipu::kafka {

void DescribeClusterRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("includeClusterAuthorizedOperations", include_cluster_authorized_operations);
  visitor.Field("endpointType", endpoint_type, Since(1));
  visitor.Field("includeFencedBrokers", include_fenced_brokers, Since(2));
}

void DescribeClusterResponse::Broker::Describe(FieldVisitor& visitor) {
  visitor.Field("brokerId", broker_id);
  visitor.Field("host", host);
  visitor.Field("port", port);
  visitor.Field("rack", rack);
  visitor.Field("isFenced", is_fenced, Since(2));
}

void DescribeClusterResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
  visitor.Field("endpointType", endpoint_type, Since(1));
  visitor.Field("clusterId", cluster_id);
  visitor.Field("controllerId", controller_id);
  visitor.Field("brokers", brokers);
  visitor.Field("clusterAuthorizedOperations", cluster_authorized_operations);
}

}  // namespace quipu::kafka
