// ListOffsets: first, last, or by time.
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/kafka_error.h"
#include "core/kafka/log/list_offsets.h"

namespace quipu::kafka {
namespace {

// Times that mean something else; below the newest there is nothing that is advertised. Nothing is
// kept elsewhere: what is local is all, and what is on another tier is nothing.
constexpr int64_t kEarliest = -2;
constexpr int64_t kLargest = -3;
constexpr int64_t kEarliestLocal = -4;
constexpr int64_t kLatestTiered = -5;

// Older clients know another error of a leader whose high watermark is not known yet.
constexpr int16_t kOffsetNotAvailableSince = 5;
constexpr auto kOffsetNotAvailable = static_cast<int16_t>(ErrorCode::kOffsetNotAvailable);

// Why a time is not asked for; kNone: it is.
ErrorCode RefuseTime(int64_t time) {
  return time < kLatestTiered ? ErrorCode::kUnsupportedVersion : ErrorCode::kNone;
}

void Fill(const message::ListOffsetsResponse::Partition& result, int64_t asked, int16_t version,
          ListOffsetsResponse::Partition& out) {
  out.error_code = ErrorOf(result.error_code());
  if (version < kOffsetNotAvailableSince && KafkaErrorCode(out.error_code) == kOffsetNotAvailable) {
    out.error_code = ErrorCode::kLeaderNotAvailable;
  }
  if (out.error_code != ErrorCode::kNone || asked == kLatestTiered) return;
  out.offset = Offset(result.offset());
  out.leader_epoch = LeaderEpoch(result.leader_epoch());
  // The first and the last offset belong to no record (KIP-79).
  if (asked >= 0 || asked == kLargest) out.timestamp = TimestampMs(result.timestamp());
}

}  // namespace

absl::Status HandleListOffsets(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(ListOffsetsRequest request, call->Decode<ListOffsetsRequest>());
  const MetadataImagePtr image = context.node.image();
  message::ListOffsetsRequest asked;
  PartitionSlots slots;
  // Each partition once: each question may read the disk.
  absl::flat_hash_set<std::pair<std::string, int32_t>> seen;
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    for (const auto& partition : topic.partitions) {
      const bool first = seen.emplace(topic.name, partition.partition_index.value()).second;
      const ErrorCode refused =
          first ? RefuseTime(partition.timestamp) : ErrorCode::kInvalidRequest;
      if (!slots.Add(refused == ErrorCode::kNone ? found.error : refused)) continue;
      auto* out = asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition_index.value());
      out->set_current_leader_epoch(partition.current_leader_epoch.value());
      const bool whole =
          partition.timestamp == kEarliestLocal || partition.timestamp == kLatestTiered;
      out->set_timestamp(whole ? kEarliest : partition.timestamp);
    }
  }
  context.node.ListOffsets(
      std::move(asked), [call, slots = std::move(slots), request = std::move(request)](
                            const message::ListOffsetsResponse& results) {
        ListOffsetsResponse response;
        slots.Shape(
            request.topics, response.topics,
            [](const auto& topic, auto& out) { out.name = topic.name; },
            [&results, version = call->version()](const auto& partition, auto& out, ErrorCode error,
                                                  int place) {
              out.partition_index = partition.partition_index;
              out.error_code = error;
              if (error == ErrorCode::kNone) {
                Fill(results.partitions(place), partition.timestamp, version, out);
              }
            });
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
