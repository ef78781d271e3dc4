// ListOffsets: first, last, or by time.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/log/list_offsets.h"

namespace quipu::kafka {

// Smaller ones ask for things that this log does not know, in versions that are not advertised.
constexpr int64_t kEarliest = -2;

absl::Status HandleListOffsets(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(ListOffsetsRequest request, call->Decode<ListOffsetsRequest>());
  const MetadataImagePtr image = context.node.image();
  message::ListOffsetsRequest asked;
  std::vector<std::pair<ErrorCode, int>> slots;
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    for (const auto& partition : topic.partitions) {
      ErrorCode error = found.error;
      if (partition.timestamp < kEarliest) error = ErrorCode::kUnsupportedVersion;
      slots.emplace_back(error, asked.partitions_size());
      if (error != ErrorCode::kNone) continue;
      auto* out = asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition_index.value());
      out->set_current_leader_epoch(partition.current_leader_epoch.value());
      out->set_timestamp(partition.timestamp);
    }
  }
  context.node.ListOffsets(std::move(asked),
                           [call, slots = std::move(slots), request = std::move(request)](
                               const message::ListOffsetsResponse& results) {
                             ListOffsetsResponse response;
                             size_t next = 0;
                             for (const auto& topic : request.topics) {
                               auto& answered = response.topics.emplace_back();
                               answered.name = topic.name;
                               for (const auto& partition : topic.partitions) {
                                 auto& out = answered.partitions.emplace_back();
                                 out.partition_index = partition.partition_index;
                                 const auto [error, slot] = slots[next++];
                                 out.error_code = error;
                                 if (error != ErrorCode::kNone) continue;
                                 const auto& result = results.partitions(slot);
                                 out.error_code = ErrorOf(result.error_code());
                                 if (out.error_code != ErrorCode::kNone) continue;
                                 out.offset = Offset(result.offset());
                                 out.leader_epoch = LeaderEpoch(result.leader_epoch());
                                 // The first and the last offset belong to no record (KIP-79).
                                 if (partition.timestamp >= 0)
                                   out.timestamp = TimestampMs(result.timestamp());
                               }
                             }
                             call->Answer(response);
                           });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
