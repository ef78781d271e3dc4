// SyncGroup: the fields of request and response, version by version.
#include "core/kafka/group/sync_group.h"

namespace quipu::kafka {

void SyncGroupRequest::Assignment::Describe(FieldVisitor& visitor) {
  visitor.Field("memberId", member_id);
  visitor.Field("assignment", assignment);
}

void SyncGroupRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("generationId", generation_id);
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id, Since(3));
  visitor.Field("protocolType", protocol_type, Since(5));
  visitor.Field("protocolName", protocol_name, Since(5));
  visitor.Field("assignments", assignments);
}

void SyncGroupResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Field("errorCode", error_code);
  visitor.Field("protocolType", protocol_type, Since(5));
  visitor.Field("protocolName", protocol_name, Since(5));
  visitor.Field("assignment", assignment);
}

}  // namespace quipu::kafka
