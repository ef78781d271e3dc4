// DeleteRecords: the fields of request and response, version by version.
#include "core/kafka/log/delete_records.h"

namespace quipu::kafka {

void DeleteRecordsRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("offset", offset);
}

void DeleteRecordsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void DeleteRecordsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("topics", topics);
  visitor.Field("timeoutMs", timeout_ms);
}

void DeleteRecordsResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("lowWatermark", low_watermark);
  visitor.Field("errorCode", error_code);
}

void DeleteRecordsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void DeleteRecordsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
