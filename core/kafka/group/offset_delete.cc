// OffsetDelete: the fields of request and response, version by version.
#include "core/kafka/group/offset_delete.h"

namespace quipu::kafka {

void OffsetDeleteRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
}

void OffsetDeleteRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void OffsetDeleteRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("topics", topics);
}

void OffsetDeleteResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("errorCode", error_code);
}

void OffsetDeleteResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void OffsetDeleteResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
