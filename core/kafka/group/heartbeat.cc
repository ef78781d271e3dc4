// Heartbeat: the fields of request and response, version by version.
#include "core/kafka/group/heartbeat.h"

namespace quipu::kafka {

void HeartbeatRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("generationId", generation_id);
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id, Since(3));
}

void HeartbeatResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Field("errorCode", error_code);
}

}  // namespace quipu::kafka
