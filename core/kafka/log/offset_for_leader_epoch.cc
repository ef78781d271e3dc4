// OffsetForLeaderEpoch: the fields of request and response, version by version.
#include "core/kafka/log/offset_for_leader_epoch.h"

namespace quipu::kafka {

void OffsetForLeaderEpochRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partition", partition);
  visitor.Field("currentLeaderEpoch", current_leader_epoch);
  visitor.Field("leaderEpoch", leader_epoch);
}

void OffsetForLeaderEpochRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic);
  visitor.Field("partitions", partitions);
}

void OffsetForLeaderEpochRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("replicaId", replica_id, Since(3));
  visitor.Field("topics", topics);
}

void OffsetForLeaderEpochResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("partition", partition);
  visitor.Field("leaderEpoch", leader_epoch);
  visitor.Field("endOffset", end_offset);
}

void OffsetForLeaderEpochResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic);
  visitor.Field("partitions", partitions);
}

void OffsetForLeaderEpochResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
