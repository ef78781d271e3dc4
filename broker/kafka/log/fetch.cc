// Fetch: whole batches as they are stored, with a long poll. Sessions (KIP-227) are declined: each
// request says all that it wants.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/log/fetch.h"

namespace quipu::kafka {
namespace {

constexpr int8_t kReadCommitted = 1;
constexpr int16_t kWholeErrorSince = 7;

// Why the whole request is refused; kNone: it is not.
ErrorCode RefuseFetch(const FetchRequest& request) {
  if (request.session_id != 0) return ErrorCode::kFetchSessionIdNotFound;
  // Followers replicate over streams of their own.
  const bool follower =
      request.replica_id >= BrokerId(0) || request.replica_state.replica_id >= BrokerId(0);
  return follower ? ErrorCode::kInvalidRequest : ErrorCode::kNone;
}

void Fill(FetchPartitionResult result, bool read_committed, const MetadataImage* image,
          FetchResponse::Partition& out, std::vector<NodeEndpoint>& endpoints) {
  out.error_code = result.error;
  out.high_watermark = result.high_watermark;
  out.last_stable_offset = result.last_stable_offset;
  out.log_start_offset = result.log_start_offset;
  if (result.diverging_epoch != kNoLeaderEpoch) {
    out.diverging_epoch = {.epoch = result.diverging_epoch,
                           .end_offset = result.diverging_end_offset};
  }
  if (result.leader_id != kNoBroker && result.error != ErrorCode::kNone) {
    out.current_leader = {.leader_id = result.leader_id, .leader_epoch = result.leader_epoch};
    AddEndpoint(image, result.leader_id, endpoints);
  }
  if (read_committed) out.aborted_transactions.emplace();
  out.records = {.is_null = false, .slices = std::move(result.batches)};
}

quipu::FetchRequest ToAsked(const FetchRequest& request, const MetadataImage* image,
                            const std::string& client_id, PartitionSlots& slots) {
  quipu::FetchRequest asked{.max_wait_ms = request.max_wait_ms,
                            .min_bytes = request.min_bytes,
                            .max_bytes = request.max_bytes,
                            .client_id = client_id,
                            .partitions = {}};
  for (const FetchRequest::Topic& topic : request.topics) {
    const FoundTopic found = FindTopic(image, topic.topic, topic.topic_id);
    for (const FetchRequest::Partition& partition : topic.partitions) {
      if (!slots.Add(found.error)) {
        asked.max_wait_ms = 0;  // what is wrong is said at once
        continue;
      }
      asked.partitions.push_back({.topic_id = found.id(),
                                  .partition = partition.partition,
                                  .fetch_offset = partition.fetch_offset,
                                  .leader_epoch = partition.current_leader_epoch,
                                  .max_bytes = partition.partition_max_bytes,
                                  .last_fetched_epoch = partition.last_fetched_epoch});
    }
  }
  return asked;
}

FetchResponse ToResponse(const FetchRequest& request, int16_t version, const PartitionSlots& slots,
                         const MetadataImage* image, quipu::FetchResponse results) {
  FetchResponse response{.error_code = results.error};
  const bool each = results.error != ErrorCode::kNone;
  if (each && version >= kWholeErrorSince) return response;
  // Before there was an error of the whole answer, each partition has to carry it: as one that
  // every client takes for "later".
  const bool read_committed = request.isolation_level == kReadCommitted;
  slots.Shape(
      request.topics, response.responses,
      [](const auto& topic, auto& out) {
        out.topic = topic.topic;
        out.topic_id = topic.topic_id;
      },
      [&](const auto& partition, auto& out, ErrorCode error, int place) {
        out.partition_index = partition.partition;
        if (error == ErrorCode::kNone && !each) {
          Fill(std::move(results.partitions[static_cast<size_t>(place)]), read_committed, image,
               out, response.node_endpoints);
          return;
        }
        out.error_code = error == ErrorCode::kNone ? ErrorCode::kNotLeaderOrFollower : error;
        out.high_watermark = kNoOffset;
        out.records.is_null = false;
      });
  return response;
}

}  // namespace

absl::Status HandleFetch(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(FetchRequest request, call->Decode<FetchRequest>());
  const ErrorCode refused = RefuseFetch(request);
  if (refused != ErrorCode::kNone) {
    call->Answer(FetchResponse{.error_code = refused});
    return absl::OkStatus();
  }
  MergeRepeated(request.topics, &FetchRequest::Topic::topic, &FetchRequest::Topic::partitions,
                &FetchRequest::Partition::partition);
  const MetadataImagePtr image = context.node.image();
  PartitionSlots slots;
  quipu::FetchRequest asked = ToAsked(request, image.get(), call->client_id(), slots);
  context.node.Fetch(
      std::move(asked), [call, image, slots = std::move(slots),
                         request = std::move(request)](quipu::FetchResponse results) {
        call->Answer(ToResponse(request, call->version(), slots, image.get(), std::move(results)));
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
