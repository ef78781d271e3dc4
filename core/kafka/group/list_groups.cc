// ListGroups: the fields of request and response, version by version.
#include "core/kafka/group/list_groups.h"

namespace quipu::kafka {

void ListGroupsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("statesFilter", states_filter, Since(4));
  visitor.Field("typesFilter", types_filter, Since(5));
}

void ListGroupsResponse::Group::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("protocolType", protocol_type);
  visitor.Field("groupState", group_state, Since(4));
  visitor.Field("groupType", group_type, Since(5));
}

void ListGroupsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Field("errorCode", error_code);
  visitor.Field("groups", groups);
}

}  // namespace quipu::kafka
