// JoinGroup: the fields of request and response, version by version.
#include "core/kafka/group/join_group.h"

namespace quipu::kafka {

void JoinGroupRequest::Protocol::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("metadata", metadata);
}

void JoinGroupRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("sessionTimeoutMs", session_timeout_ms);
  visitor.Field("rebalanceTimeoutMs", rebalance_timeout_ms, Since(1));
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id, Since(5));
  visitor.Field("protocolType", protocol_type);
  visitor.Field("protocols", protocols);
  visitor.Field("reason", reason, Since(8));
}

void JoinGroupResponse::Member::Describe(FieldVisitor& visitor) {
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id, Since(5));
  visitor.Field("metadata", metadata);
}

void JoinGroupResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(2));
  visitor.Field("errorCode", error_code);
  visitor.Field("generationId", generation_id);
  visitor.Field("protocolType", protocol_type, Since(7));
  visitor.Field("protocolName", protocol_name, kAlways, Since(7));
  visitor.Field("leader", leader);
  visitor.Field("skipAssignment", skip_assignment, Since(9));
  visitor.Field("memberId", member_id);
  visitor.Field("members", members);
}

}  // namespace quipu::kafka
