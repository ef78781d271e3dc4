// IncrementalAlterConfigs: the fields of request and response, version by version.
#include "core/kafka/admin/incremental_alter_configs.h"

namespace quipu::kafka {

void IncrementalAlterConfigsRequest::Config::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("configOperation", config_operation);
  visitor.Field("value", value);
}

void IncrementalAlterConfigsRequest::Resource::Describe(FieldVisitor& visitor) {
  visitor.Field("resourceType", resource_type);
  visitor.Field("resourceName", resource_name);
  visitor.Field("configs", configs);
}

void IncrementalAlterConfigsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("resources", resources);
  visitor.Field("validateOnly", validate_only);
}

void IncrementalAlterConfigsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("responses", responses);
}

}  // namespace quipu::kafka
