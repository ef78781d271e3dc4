// Produce: the fields of request and response, version by version.
#include "core/kafka/log/produce.h"

namespace quipu::kafka {

void ProduceRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("index", index);
  visitor.Field("records", records);
}

void ProduceRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitionData", partition_data);
}

void ProduceRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("transactionalId", transactional_id);
  visitor.Field("acks", acks);
  visitor.Field("timeoutMs", timeout_ms);
  visitor.Field("topicData", topic_data);
}

void ProduceResponse::RecordError::Describe(FieldVisitor& visitor) {
  visitor.Field("batchIndex", batch_index);
  visitor.Field("batchIndexErrorMessage", batch_index_error_message);
}

void ProduceResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("index", index);
  visitor.Field("errorCode", error_code);
  visitor.Field("baseOffset", base_offset);
  visitor.Field("logAppendTimeMs", log_append_time_ms);
  visitor.Field("logStartOffset", log_start_offset, Since(5));
  visitor.Field("recordErrors", record_errors, Since(8));
  visitor.Field("errorMessage", error_message, Since(8));
  visitor.Tagged(0, "currentLeader", current_leader, Since(10));
}

void ProduceResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitionResponses", partition_responses);
}

void ProduceResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("responses", responses);
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Tagged(0, "nodeEndpoints", node_endpoints, Since(10));
}

}  // namespace quipu::kafka
