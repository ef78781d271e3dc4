// AlterConfigs: the fields of request and response, version by version.
#include "core/kafka/admin/alter_configs.h"

namespace quipu::kafka {

void AlterConfigsRequest::Config::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("value", value);
}

void AlterConfigsRequest::Resource::Describe(FieldVisitor& visitor) {
  visitor.Field("resourceType", resource_type);
  visitor.Field("resourceName", resource_name);
  visitor.Field("configs", configs);
}

void AlterConfigsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("resources", resources);
  visitor.Field("validateOnly", validate_only);
}

void AlterConfigsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("responses", responses);
}

}  // namespace quipu::kafka
