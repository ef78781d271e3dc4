// Metadata: the fields of request and response, version by version.
#include "core/kafka/admin/metadata.h"

namespace quipu::kafka {

void MetadataRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topicId", topic_id, Since(10));
  visitor.Field("name", name, kAlways, Since(10));
}

void MetadataRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("topics", topics, kAlways, Since(1));
  visitor.Field("allowAutoTopicCreation", allow_auto_topic_creation, Since(4));
  visitor.Field("includeClusterAuthorizedOperations", include_cluster_authorized_operations,
                Between(8, 10));
  visitor.Field("includeTopicAuthorizedOperations", include_topic_authorized_operations, Since(8));
}

void MetadataResponse::Broker::Describe(FieldVisitor& visitor) {
  visitor.Field("nodeId", node_id);
  visitor.Field("host", host);
  visitor.Field("port", port);
  visitor.Field("rack", rack, Since(1));
}

void MetadataResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("leaderId", leader_id);
  visitor.Field("leaderEpoch", leader_epoch, Since(7));
  visitor.Field("replicaNodes", replica_nodes);
  visitor.Field("isrNodes", isr_nodes);
  visitor.Field("offlineReplicas", offline_replicas, Since(5));
}

void MetadataResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("name", name, kAlways, Since(12));
  visitor.Field("topicId", topic_id, Since(10));
  visitor.Field("isInternal", is_internal, Since(1));
  visitor.Field("partitions", partitions);
  visitor.Field("topicAuthorizedOperations", topic_authorized_operations, Since(8));
}

void MetadataResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(3));
  visitor.Field("brokers", brokers);
  visitor.Field("clusterId", cluster_id, Since(2));
  visitor.Field("controllerId", controller_id, Since(1));
  visitor.Field("topics", topics);
  visitor.Field("clusterAuthorizedOperations", cluster_authorized_operations, Between(8, 10));
  visitor.Field("errorCode", error_code, Since(13));
}

}  // namespace quipu::kafka
