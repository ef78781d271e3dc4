// Encode of log_codec.h. Field numbers: proto/message/stream.proto. Record bytes come last in their
// message, so that all small fields of a partition lie in one slice; protobuf allows any order.
#include "core/request/log_codec.h"
#include "core/request/wire_format.h"

namespace quipu {
namespace {

int64_t WireError(ErrorCode error) { return static_cast<int64_t>(error); }

WireWriter Body(const ProducePartition& partition) {
  WireWriter out;
  out.Text(1, partition.topic_id.ToBytes());
  out.Signed(2, partition.partition.value());
  out.Signed(3, partition.leader_epoch.value());
  out.Shared(4, {partition.records});
  return out;
}

WireWriter Body(const ProducePartitionResult& result) {
  WireWriter out;
  out.Text(1, result.topic_id.ToBytes());
  out.Signed(2, result.partition.value());
  out.Signed(3, WireError(result.error));
  out.Signed(4, result.base_offset.value());
  out.Signed(5, result.log_append_time.value());
  out.Signed(6, result.log_start_offset.value());
  out.Signed(7, result.leader_id.value());
  out.Signed(8, result.leader_epoch.value());
  out.Text(9, result.error_message);
  return out;
}

WireWriter Body(const FetchPartition& partition) {
  WireWriter out;
  out.Text(1, partition.topic_id.ToBytes());
  out.Signed(2, partition.partition.value());
  out.Signed(3, partition.fetch_offset.value());
  out.Signed(4, partition.leader_epoch.value());
  out.Signed(5, partition.max_bytes);
  out.Signed(6, partition.last_fetched_epoch.value());
  return out;
}

WireWriter Body(const FetchPartitionResult& result) {
  WireWriter out;
  out.Text(1, result.topic_id.ToBytes());
  out.Signed(2, result.partition.value());
  out.Signed(3, WireError(result.error));
  out.Signed(4, result.high_watermark.value());
  out.Signed(5, result.last_stable_offset.value());
  out.Signed(6, result.log_start_offset.value());
  out.Signed(8, result.leader_id.value());
  out.Signed(9, result.leader_epoch.value());
  out.Signed(10, result.diverging_epoch.value());
  out.Signed(11, result.diverging_end_offset.value());
  out.Text(12, result.error_message);
  out.Signed(13, result.refused_end_offset.value());
  out.Shared(7, result.batches);
  return out;
}

WireWriter Body(const ReplicaOpen& open) {
  WireWriter out;
  out.Text(1, open.cluster_id.ToBytes());
  out.Signed(2, open.broker_id.value());
  out.Signed(3, open.broker_epoch.value());
  out.Signed(4, open.leader_id.value());
  return out;
}

WireWriter Body(const ReplicaUpdate& update) {
  WireWriter out;
  out.Unsigned(1, update.uid.value());
  out.Signed(2, update.leader_epoch.value());
  out.Signed(3, update.fetch_offset.value());
  out.Signed(4, update.durable_end_offset.value());
  out.Signed(5, update.log_start_offset.value());
  out.Signed(6, update.last_epoch.value());
  out.Unsigned(7, update.restart ? 1 : 0);
  out.Unsigned(8, update.producers_unknown ? 1 : 0);
  return out;
}

WireWriter Body(const ReplicaPush& push) {
  WireWriter out;
  out.Unsigned(1, push.uid.value());
  out.Signed(2, push.leader_epoch.value());
  out.Signed(3, WireError(push.error));
  out.Signed(4, push.high_watermark.value());
  out.Signed(5, push.log_start_offset.value());
  out.Signed(7, push.diverging_epoch.value());
  out.Signed(8, push.diverging_end_offset.value());
  out.Signed(9, push.base_offset.value());
  if (!push.producers.empty()) out.Shared(10, {push.producers});
  out.Signed(11, push.producers_whole_at.value());
  out.Shared(6, push.batches);
  return out;
}

WireWriter Body(const RepairRequest& request) {
  WireWriter out;
  out.Unsigned(1, request.uid.value());
  out.Signed(2, request.leader_epoch.value());
  out.Signed(3, request.last_offset.value());
  out.Signed(4, request.batch_epoch.value());
  return out;
}

WireWriter Body(const RepairAnswer& answer) {
  WireWriter out;
  out.Unsigned(1, answer.uid.value());
  out.Signed(2, answer.leader_epoch.value());
  out.Signed(3, answer.last_offset.value());
  out.Signed(4, WireError(answer.error));
  out.Shared(5, {answer.records});
  out.Signed(6, answer.log_start_offset.value());
  return out;
}

}  // namespace

ByteChain Encode(const ProduceRequest& message) {
  WireWriter out;
  out.Unsigned(1, message.request_id);
  out.Signed(2, message.acks);
  out.Signed(3, message.timeout_ms);
  out.Text(4, message.client_id);
  for (const ProducePartition& partition : message.partitions) out.Message(5, Body(partition));
  return out.Finish();
}

ByteChain Encode(const ProduceResponse& message) {
  WireWriter out;
  out.Unsigned(1, message.request_id);
  for (const ProducePartitionResult& result : message.partitions) out.Message(2, Body(result));
  return out.Finish();
}

ByteChain Encode(const FetchRequest& message) {
  WireWriter out;
  out.Unsigned(1, message.request_id);
  out.Signed(2, message.max_wait_ms);
  out.Signed(3, message.min_bytes);
  out.Signed(4, message.max_bytes);
  out.Text(5, message.client_id);
  for (const FetchPartition& partition : message.partitions) out.Message(6, Body(partition));
  return out.Finish();
}

ByteChain Encode(const FetchResponse& message) {
  WireWriter out;
  out.Unsigned(1, message.request_id);
  out.Signed(2, WireError(message.error));
  for (const FetchPartitionResult& result : message.partitions) out.Message(3, Body(result));
  return out.Finish();
}

ByteChain Encode(const ReplicaToLeader& message) {
  WireWriter out;
  if (message.has_open) out.Message(1, Body(message.open));
  for (const ReplicaUpdate& update : message.updates) out.Message(2, Body(update));
  out.Signed(3, message.credit_bytes);
  for (const RepairRequest& request : message.repairs) out.Message(4, Body(request));
  return out.Finish();
}

ByteChain Encode(const LeaderToReplica& message) {
  WireWriter out;
  out.Signed(1, WireError(message.error));
  out.Text(2, message.error_message);
  for (const ReplicaPush& push : message.pushes) out.Message(3, Body(push));
  for (const RepairAnswer& answer : message.repairs) out.Message(4, Body(answer));
  return out.Finish();
}

}  // namespace quipu
