// ElectLeaders: the fields of request and response, version by version.
#include "core/kafka/admin/elect_leaders.h"

namespace quipu::kafka {

void ElectLeadersRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic);
  visitor.Field("partitions", partitions);
}

void ElectLeadersRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("electionType", election_type, Since(1));
  visitor.Field("topicPartitions", topic_partitions);
  visitor.Field("timeoutMs", timeout_ms);
}

void ElectLeadersResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionId", partition_id);
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
}

void ElectLeadersResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic);
  visitor.Field("partitionResult", partition_result);
}

void ElectLeadersResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("errorCode", error_code, Since(1));
  visitor.Field("replicaElectionResults", replica_election_results);
}

}  // namespace quipu::kafka
