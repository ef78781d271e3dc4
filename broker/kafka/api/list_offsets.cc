// ListOffsets: first, last, or by time.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/log/list_offsets.h"

namespace quipu::kafka {
namespace {

// Smaller ones ask for things that this log does not know, in versions that are not advertised.
constexpr int64_t kEarliest = -2;

void Fill(const message::ListOffsetsResponse::Partition& result, int64_t asked,
          ListOffsetsResponse::Partition& out) {
  out.error_code = ErrorOf(result.error_code());
  if (out.error_code != ErrorCode::kNone) return;
  out.offset = Offset(result.offset());
  out.leader_epoch = LeaderEpoch(result.leader_epoch());
  // The first and the last offset belong to no record (KIP-79).
  if (asked >= 0) out.timestamp = TimestampMs(result.timestamp());
}

}  // namespace

absl::Status HandleListOffsets(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(ListOffsetsRequest request, call->Decode<ListOffsetsRequest>());
  const MetadataImagePtr image = context.node.image();
  message::ListOffsetsRequest asked;
  PartitionSlots slots;
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    for (const auto& partition : topic.partitions) {
      const bool unknown = partition.timestamp < kEarliest;
      if (!slots.Add(unknown ? ErrorCode::kUnsupportedVersion : found.error)) continue;
      auto* out = asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition_index.value());
      out->set_current_leader_epoch(partition.current_leader_epoch.value());
      out->set_timestamp(partition.timestamp);
    }
  }
  context.node.ListOffsets(
      std::move(asked), [call, slots = std::move(slots), request = std::move(request)](
                            const message::ListOffsetsResponse& results) {
        ListOffsetsResponse response;
        slots.Shape(
            request.topics, response.topics,
            [](const auto& topic, auto& out) { out.name = topic.name; },
            [&results](const auto& partition, auto& out, ErrorCode error, int place) {
              out.partition_index = partition.partition_index;
              out.error_code = error;
              if (error == ErrorCode::kNone) {
                Fill(results.partitions(place), partition.timestamp, out);
              }
            });
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
