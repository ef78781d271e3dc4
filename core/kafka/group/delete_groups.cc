// DeleteGroups: the fields of request and response, version by version.
#include "core/kafka/group/delete_groups.h"

namespace quipu::kafka {

void DeleteGroupsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("groupsNames", groups_names);
}

void DeleteGroupsResponse::Result::Describe(FieldVisitor& visitor) {
  visitor.Field("groupId", group_id);
  visitor.Field("errorCode", error_code);
}

void DeleteGroupsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("results", results);
}

}  // namespace quipu::kafka
