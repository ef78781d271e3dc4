// DescribeConfigs: the fields of request and response, version by version.
#include "core/kafka/admin/describe_configs.h"

namespace quipu::kafka {

void DescribeConfigsRequest::Resource::Describe(FieldVisitor& visitor) {
  visitor.Field("resourceType", resource_type);
  visitor.Field("resourceName", resource_name);
  visitor.Field("configurationKeys", configuration_keys);
}

void DescribeConfigsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("resources", resources);
  visitor.Field("includeSynonyms", include_synonyms);
  visitor.Field("includeDocumentation", include_documentation, Since(3));
}

void DescribeConfigsResponse::Synonym::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("value", value);
  visitor.Field("source", source);
}

void DescribeConfigsResponse::Config::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("value", value);
  visitor.Field("readOnly", read_only);
  visitor.Field("configSource", config_source);
  visitor.Field("isSensitive", is_sensitive);
  visitor.Field("synonyms", synonyms);
  visitor.Field("configType", config_type, Since(3));
  visitor.Field("documentation", documentation, Since(3));
}

void DescribeConfigsResponse::Result::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
  visitor.Field("resourceType", resource_type);
  visitor.Field("resourceName", resource_name);
  visitor.Field("configs", configs);
}

void DescribeConfigsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("results", results);
}

}  // namespace quipu::kafka
