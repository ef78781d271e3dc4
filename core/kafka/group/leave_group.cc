// LeaveGroup: the fields of request and response, version by version.
#include "core/kafka/group/leave_group.h"

namespace quipu::kafka {

void LeaveGroupRequest::Member::Describe(FieldVisitor& visitor) {
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id);
  visitor.Field("reason", reason, Since(5));
}

void LeaveGroupRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("memberId", member_id, Until(2));
  visitor.Field("members", members, Since(3));
}

void LeaveGroupResponse::Member::Describe(FieldVisitor& visitor) {
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id);
  visitor.Field("errorCode", error_code);
}

void LeaveGroupResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Field("errorCode", error_code);
  visitor.Field("members", members, Since(3));
}

}  // namespace quipu::kafka
