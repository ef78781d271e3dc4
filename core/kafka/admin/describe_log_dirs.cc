// DescribeLogDirs: the fields of request and response, version by version.
#include "core/kafka/admin/describe_log_dirs.h"

namespace quipu::kafka {

void DescribeLogDirsRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic);
  visitor.Field("partitions", partitions);
}

void DescribeLogDirsRequest::Describe(FieldVisitor& visitor) { visitor.Field("topics", topics); }

void DescribeLogDirsResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("partitionSize", partition_size);
  visitor.Field("offsetLag", offset_lag);
  visitor.Field("isFutureKey", is_future_key);
}

void DescribeLogDirsResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void DescribeLogDirsResponse::LogDir::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("logDir", log_dir);
  visitor.Field("topics", topics);
  visitor.Field("totalBytes", total_bytes, Since(4));
  visitor.Field("usableBytes", usable_bytes, Since(4));
}

void DescribeLogDirsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("errorCode", error_code, Since(3));
  visitor.Field("results", results);
}

}  // namespace quipu::kafka
