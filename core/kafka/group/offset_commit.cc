// OffsetCommit: the fields of request and response, version by version.
#include "core/kafka/group/offset_commit.h"

namespace quipu::kafka {

void OffsetCommitRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("committedOffset", committed_offset);
  visitor.Field("committedLeaderEpoch", committed_leader_epoch, Since(6));
  visitor.Field("committedMetadata", committed_metadata);
}

void OffsetCommitRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name, Until(9));
  visitor.Field("topicId", topic_id, Since(10));
  visitor.Field("partitions", partitions);
}

void OffsetCommitRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("generationIdOrMemberEpoch", generation_id_or_member_epoch);
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id, Since(7));
  visitor.Field("retentionTimeMs", retention_time_ms, Until(4));
  visitor.Field("topics", topics);
}

void OffsetCommitResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("errorCode", error_code);
}

void OffsetCommitResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name, Until(9));
  visitor.Field("topicId", topic_id, Since(10));
  visitor.Field("partitions", partitions);
}

void OffsetCommitResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(3));
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
