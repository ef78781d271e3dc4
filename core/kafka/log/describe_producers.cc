// DescribeProducers: the fields of request and response, version by version.
#include "core/kafka/log/describe_producers.h"

namespace quipu::kafka {

void DescribeProducersRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitionIndexes", partition_indexes);
}

void DescribeProducersRequest::Describe(FieldVisitor& visitor) { visitor.Field("topics", topics); }

void DescribeProducersResponse::Producer::Describe(FieldVisitor& visitor) {
  visitor.Field("producerId", producer_id);
  visitor.Field("producerEpoch", producer_epoch);
  visitor.Field("lastSequence", last_sequence);
  visitor.Field("lastTimestamp", last_timestamp);
  visitor.Field("coordinatorEpoch", coordinator_epoch);
  visitor.Field("currentTxnStartOffset", current_txn_start_offset);
}

void DescribeProducersResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
  visitor.Field("activeProducers", active_producers);
}

void DescribeProducersResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("partitions", partitions);
}

void DescribeProducersResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("topics", topics);
}

}  // namespace quipu::kafka
