// Fetch: the fields of request and response, version by version.
#include "core/kafka/log/fetch.h"

namespace quipu::kafka {

void FetchRequest::ReplicaState::Describe(FieldVisitor& visitor) {
  visitor.Field("replicaId", replica_id);
  visitor.Field("replicaEpoch", replica_epoch);
}

void FetchRequest::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partition", partition);
  visitor.Field("currentLeaderEpoch", current_leader_epoch, Since(9));
  visitor.Field("fetchOffset", fetch_offset);
  visitor.Field("lastFetchedEpoch", last_fetched_epoch, Since(12));
  visitor.Field("logStartOffset", log_start_offset, Since(5));
  visitor.Field("partitionMaxBytes", partition_max_bytes);
  visitor.Tagged(0, "replicaDirectoryId", replica_directory_id, Since(17));
  visitor.Tagged(1, "highWatermark", high_watermark, Since(18), Offset{INT64_MAX});
}

void FetchRequest::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic, Until(12));
  visitor.Field("topicId", topic_id, Since(13));
  visitor.Field("partitions", partitions);
}

void FetchRequest::ForgottenTopic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic, Until(12));
  visitor.Field("topicId", topic_id, Since(13));
  visitor.Field("partitions", partitions);
}

void FetchRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("replicaId", replica_id, Until(14));
  visitor.Field("maxWaitMs", max_wait_ms);
  visitor.Field("minBytes", min_bytes);
  visitor.Field("maxBytes", max_bytes);
  visitor.Field("isolationLevel", isolation_level);
  visitor.Field("sessionId", session_id, Since(7));
  visitor.Field("sessionEpoch", session_epoch, Since(7));
  visitor.Field("topics", topics);
  visitor.Field("forgottenTopicsData", forgotten_topics_data, Since(7));
  visitor.Field("rackId", rack_id, Since(11));
  visitor.Tagged(0, "clusterId", cluster_id, Since(12));
  visitor.Tagged(1, "replicaState", replica_state, Since(15));
}

void FetchResponse::DivergingEpoch::Describe(FieldVisitor& visitor) {
  visitor.Field("epoch", epoch);
  visitor.Field("endOffset", end_offset);
}

void FetchResponse::SnapshotId::Describe(FieldVisitor& visitor) {
  visitor.Field("endOffset", end_offset);
  visitor.Field("epoch", epoch);
}

void FetchResponse::AbortedTransaction::Describe(FieldVisitor& visitor) {
  visitor.Field("producerId", producer_id);
  visitor.Field("firstOffset", first_offset);
}

void FetchResponse::Partition::Describe(FieldVisitor& visitor) {
  visitor.Field("partitionIndex", partition_index);
  visitor.Field("errorCode", error_code);
  visitor.Field("highWatermark", high_watermark);
  visitor.Field("lastStableOffset", last_stable_offset);
  visitor.Field("logStartOffset", log_start_offset, Since(5));
  visitor.Field("abortedTransactions", aborted_transactions);
  visitor.Field("preferredReadReplica", preferred_read_replica, Since(11));
  visitor.Field("records", records);
  visitor.Tagged(0, "divergingEpoch", diverging_epoch, Since(12));
  visitor.Tagged(1, "currentLeader", current_leader, Since(12));
  visitor.Tagged(2, "snapshotId", snapshot_id, Since(12));
}

void FetchResponse::Topic::Describe(FieldVisitor& visitor) {
  visitor.Field("topic", topic, Until(12));
  visitor.Field("topicId", topic_id, Since(13));
  visitor.Field("partitions", partitions);
}

void FetchResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("errorCode", error_code, Since(7));
  visitor.Field("sessionId", session_id, Since(7));
  visitor.Field("responses", responses);
  visitor.Tagged(0, "nodeEndpoints", node_endpoints, Since(16));
}

}  // namespace quipu::kafka
