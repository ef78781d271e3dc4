// CreatePartitions: the fields of request and response, version by version.
#include "core/kafka/admin/create_partitions.h"

namespace quipu::kafka {

void CreatePartitionsRequest::Assignment::Describe(FieldVisitor& visitor) {
  visitor.Field("brokerIds", broker_ids);
}

void CreatePartitionsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("count", count);
  visitor.Field("assignments", assignments);
}

void CreatePartitionsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("topics", topics);
  visitor.Field("timeoutMs", timeout_ms);
  visitor.Field("validateOnly", validate_only);
}

void CreatePartitionsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
}

void CreatePartitionsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("results", results);
}

}  // namespace quipu::kafka
