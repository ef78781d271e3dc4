// DeleteTopics: the fields of request and response, version by version.
#include "core/kafka/admin/delete_topics.h"

namespace quipu::kafka {

void DeleteTopicsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("topicId", topic_id);
}

void DeleteTopicsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("topics", topics, Since(6));
  visitor.Field("topicNames", topic_names, Until(5));
  visitor.Field("timeoutMs", timeout_ms);
}

void DeleteTopicsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name, kAlways, Since(6));
  visitor.Field("topicId", topic_id, Since(6));
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message, Since(5));
}

void DeleteTopicsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("responses", responses);
}

}  // namespace quipu::kafka
