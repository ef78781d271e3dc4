// CreateTopics: the fields of request and response, version by version.
#include "core/kafka/admin/create_topics.h"

namespace quipu::kafka {

void CreateTopicsRequest::Assignment::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("brokerIds", broker_ids);
}

void CreateTopicsRequest::Config::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("value", value);
}

void CreateTopicsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("numPartitions", num_partitions);
  visitor.Field("replicationFactor", replication_factor);
  visitor.Field("assignments", assignments);
  visitor.Field("configs", configs);
}

void CreateTopicsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("topics", topics);
  visitor.Field("timeoutMs", timeout_ms);
  visitor.Field("validateOnly", validate_only);
}

void CreateTopicsResponse::Config::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("value", value);
  visitor.Field("readOnly", read_only);
  visitor.Field("configSource", config_source);
  visitor.Field("isSensitive", is_sensitive);
}

void CreateTopicsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("topicId", topic_id, Since(7));
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
  visitor.Field("numPartitions", num_partitions, Since(5));
  visitor.Field("replicationFactor", replication_factor, Since(5));
  visitor.Field("configs", configs, Since(5));
  visitor.Tagged(0, "topicConfigErrorCode", topic_config_error_code, Since(5));
}

void CreateTopicsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
