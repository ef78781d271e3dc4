// OffsetForLeaderEpoch: where an epoch of a partition's log ends. KIP-320.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/log/offset_for_leader_epoch.h"

namespace quipu::kafka {
namespace {

void Fill(const message::EpochEndOffsetsResponse::Partition& result,
          OffsetForLeaderEpochResponse::Partition& out) {
  out.error_code = ErrorOf(result.error_code());
  if (out.error_code != ErrorCode::kNone) return;
  out.leader_epoch = LeaderEpoch(result.leader_epoch());
  out.end_offset = Offset(result.end_offset());
}

}  // namespace

absl::Status HandleOffsetForLeaderEpoch(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(OffsetForLeaderEpochRequest request,
                         call->Decode<OffsetForLeaderEpochRequest>());
  const MetadataImagePtr image = context.node.image();
  message::EpochEndOffsetsRequest asked;
  PartitionSlots slots;
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.topic);
    for (const auto& partition : topic.partitions) {
      if (!slots.Add(found.error)) continue;
      auto* out = asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition.value());
      out->set_current_leader_epoch(partition.current_leader_epoch.value());
      out->set_leader_epoch(partition.leader_epoch.value());
    }
  }
  context.node.EpochEndOffsets(
      std::move(asked), [call, slots = std::move(slots), request = std::move(request)](
                            const message::EpochEndOffsetsResponse& results) {
        OffsetForLeaderEpochResponse response;
        slots.Shape(
            request.topics, response.topics,
            [](const auto& topic, auto& out) { out.topic = topic.topic; },
            [&results](const auto& partition, auto& out, ErrorCode error, int place) {
              out.partition = partition.partition;
              out.error_code = error;
              if (error == ErrorCode::kNone) Fill(results.partitions(place), out);
            });
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
