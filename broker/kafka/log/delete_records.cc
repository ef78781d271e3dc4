// DeleteRecords: what lies below an offset goes, on the leader.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/log/delete_records.h"

namespace quipu::kafka {

absl::Status HandleDeleteRecords(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(DeleteRecordsRequest request, call->Decode<DeleteRecordsRequest>());
  const MetadataImagePtr image = context.node.image();
  message::DeleteRecordsRequest asked;
  PartitionSlots slots;
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    for (const auto& partition : topic.partitions) {
      if (!slots.Add(found.error)) continue;
      auto* out = asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition_index.value());
      out->set_before_offset(partition.offset.value());
    }
  }
  context.node.DeleteRecords(
      std::move(asked), [call, slots = std::move(slots), request = std::move(request)](
                            const message::DeleteRecordsResponse& results) {
        DeleteRecordsResponse response;
        slots.Shape(
            request.topics, response.topics,
            [](const auto& topic, auto& out) { out.name = topic.name; },
            [&results](const auto& partition, auto& out, ErrorCode error, int place) {
              out.partition_index = partition.partition_index;
              out.low_watermark = kNoOffset;
              out.error_code = error;
              if (error != ErrorCode::kNone) return;
              const auto& result = results.partitions(place);
              out.error_code = ErrorOf(result.error_code());
              if (out.error_code == ErrorCode::kNone) {
                out.low_watermark = Offset(result.log_start_offset());
              }
            });
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
