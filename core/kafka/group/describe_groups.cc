// DescribeGroups: the fields of request and response, version by version.
#include "core/kafka/group/describe_groups.h"

namespace quipu::kafka {

void DescribeGroupsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groups", groups);
  visitor.Field("includeAuthorizedOperations", include_authorized_operations, Since(3));
}

void DescribeGroupsResponse::Member::Describe(FieldVisitor& visitor) {
  visitor.Field("memberId", member_id);
  visitor.Field("groupInstanceId", group_instance_id, Since(4));
  visitor.Field("clientId", client_id);
  visitor.Field("clientHost", client_host);
  visitor.Field("memberMetadata", member_metadata);
  visitor.Field("memberAssignment", member_assignment);
}

void DescribeGroupsResponse::Group::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message, Since(6));
  visitor.Field("groupId", group_id);
  visitor.Field("groupState", group_state);
  visitor.Field("protocolType", protocol_type);
  visitor.Field("protocolData", protocol_data);
  visitor.Field("members", members);
  visitor.Field("authorizedOperations", authorized_operations, Since(3));
}

void DescribeGroupsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Field("groups", groups);
}

}  // namespace quipu::kafka
