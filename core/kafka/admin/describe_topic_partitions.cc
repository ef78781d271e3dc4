// DescribeTopicPartitions: the fields of request and response, version by version.
#include "core/kafka/admin/describe_topic_partitions.h"

namespace quipu::kafka {

void DescribeTopicPartitionsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
}

void DescribeTopicPartitionsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("topics", topics);
  visitor.Field("responsePartitionLimit", response_partition_limit);
  visitor.Field("cursor", cursor);
}

void DescribeTopicPartitionsResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("leaderId", leader_id);
  visitor.Field("leaderEpoch", leader_epoch);
  visitor.Field("replicaNodes", replica_nodes);
  visitor.Field("isrNodes", isr_nodes);
  visitor.Field("eligibleLeaderReplicas", eligible_leader_replicas);
  visitor.Field("lastKnownElr", last_known_elr);
  visitor.Field("offlineReplicas", offline_replicas);
}

void DescribeTopicPartitionsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("name", name);
  visitor.Field("topicId", topic_id);
  visitor.Field("isInternal", is_internal);
  visitor.Field("partitions", partitions);
  visitor.Field("topicAuthorizedOperations", topic_authorized_operations);
}

void DescribeTopicPartitionsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("topics", topics);
  visitor.Field("nextCursor", next_cursor);
}

}  // namespace quipu::kafka
