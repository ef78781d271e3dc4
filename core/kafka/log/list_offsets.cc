// ListOffsets: the fields of request and response, version by version.
#include "core/kafka/log/list_offsets.h"

namespace quipu::kafka {

void ListOffsetsRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("currentLeaderEpoch", current_leader_epoch, Since(4));
  visitor.Field("timestamp", timestamp);
}

void ListOffsetsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void ListOffsetsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("replicaId", replica_id);
  visitor.Field("isolationLevel", isolation_level, Since(2));
  visitor.Field("topics", topics);
  visitor.Field("timeoutMs", timeout_ms, Since(10));
}

void ListOffsetsResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("errorCode", error_code);
  visitor.Field("timestamp", timestamp);
  visitor.Field("offset", offset);
  visitor.Field("leaderEpoch", leader_epoch, Since(4));
}

void ListOffsetsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void ListOffsetsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(2));
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
