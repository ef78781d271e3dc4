// OffsetFetch: the fields of request and response, version by version.
#include "core/kafka/group/offset_fetch.h"

namespace quipu::kafka {

void OffsetFetchRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name, Until(9));
  visitor.Field("topicId", topic_id, Since(10));
  visitor.Field("partitionIndexes", partition_indexes);
}

void OffsetFetchRequest::Group::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("memberId", member_id, Since(9));
  visitor.Field("memberEpoch", member_epoch, Since(9));
  visitor.Field("topics", topics);
}

void OffsetFetchRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id, Until(7));
  visitor.Field("topics", topics, Until(7), Since(2));
  visitor.Field("groups", groups, Since(8));
  visitor.Field("requireStable", require_stable, Since(7));
}

void OffsetFetchResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("committedOffset", committed_offset);
  visitor.Field("committedLeaderEpoch", committed_leader_epoch, Since(5));
  visitor.Field("metadata", metadata);
  visitor.Field("errorCode", error_code);
}

void OffsetFetchResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name, Until(9));
  visitor.Field("topicId", topic_id, Since(10));
  visitor.Field("partitions", partitions);
}

void OffsetFetchResponse::Group::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("topics", topics);
  visitor.Field("errorCode", error_code);
}

void OffsetFetchResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(3));
  visitor.Field("topics", topics, Until(7));
  visitor.Field("errorCode", error_code, Between(2, 7));
  visitor.Field("groups", groups, Since(8));
}

}  // namespace quipu::kafka
