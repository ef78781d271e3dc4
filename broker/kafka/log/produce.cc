// Produce: batches go to the shards as slices of their frame; the leader copies each once
// (StampBatch).
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/log/produce.h"

namespace quipu::kafka {
namespace {

// The answer's shape is the request's; `each` fills what it is given.
template <typename Fill>
ProduceResponse Shaped(const ProduceRequest& request, Fill each) {
  ProduceResponse response;
  for (const ProduceRequest::Topic& topic : request.topic_data) {
    auto& answered = response.responses.emplace_back();
    answered.name = topic.name;
    for (const ProduceRequest::Partition& partition : topic.partition_data) {
      each(topic, partition, answered.partition_responses.emplace_back());
    }
  }
  return response;
}

ProduceResponse Refused(const ProduceRequest& request, ErrorCode error, const std::string& why) {
  return Shaped(request, [error, &why](const auto&, const auto& partition, auto& out) {
    out.index = partition.index;
    out.error_code = error;
    out.base_offset = kNoOffset;
    out.error_message = why;
  });
}

void Fill(const ProducePartitionResult& result, const MetadataImage* image,
          ProduceResponse::Partition& out, std::vector<NodeEndpoint>& endpoints) {
  out.error_code = result.error;
  out.base_offset = result.base_offset;
  out.log_append_time_ms = result.log_append_time;
  out.log_start_offset = result.log_start_offset;
  if (result.error == ErrorCode::kNone) return;
  if (!result.error_message.empty()) out.error_message = result.error_message;
  if (result.error != ErrorCode::kNotLeaderOrFollower) return;
  out.current_leader = {.leader_id = result.leader_id, .leader_epoch = result.leader_epoch};
  AddEndpoint(image, result.leader_id, endpoints);
}

// acks=0: as in Kafka the connection ends at an error, so that the client asks for the leader anew.
void AnswerUnheard(const KafkaCall& call, const std::vector<std::pair<ErrorCode, size_t>>& slots,
                   const quipu::ProduceResponse& results) {
  std::vector<ErrorCode> errors;
  for (const auto& [error, slot] : slots) errors.push_back(error);
  for (const auto& result : results.partitions) errors.push_back(result.error);
  std::erase(errors, ErrorCode::kNone);
  if (errors.empty()) {
    call.AnswerNothing();
  } else {
    call.AnswerByEnding(errors);
  }
}

}  // namespace

absl::Status HandleProduce(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(ProduceRequest request, call->Decode<ProduceRequest>());
  const bool answered = request.acks != 0;
  if (request.transactional_id.has_value()) {
    if (answered) {
      call->Answer(Refused(request, ErrorCode::kUnsupportedVersion, "transactions are not served"));
    } else {
      call->AnswerByEnding({ErrorCode::kUnsupportedVersion});
    }
    return absl::OkStatus();
  }
  const MetadataImagePtr image = context.node.image();
  quipu::ProduceRequest asked{.acks = request.acks,
                              .timeout_ms = request.timeout_ms,
                              .client_id = call->client_id(),
                              .partitions = {}};
  // Slot of the asked partition for each of the request's, or why there is none.
  std::vector<std::pair<ErrorCode, size_t>> slots;
  for (ProduceRequest::Topic& topic : request.topic_data) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    for (ProduceRequest::Partition& partition : topic.partition_data) {
      auto& slices = partition.records.slices;
      ErrorCode error = found.error;
      if (error == ErrorCode::kNone && slices.empty()) error = ErrorCode::kInvalidRecord;
      slots.emplace_back(error, asked.partitions.size());
      if (error != ErrorCode::kNone) continue;
      asked.partitions.push_back({.topic_id = found.id(),
                                  .partition = partition.index,
                                  .leader_epoch = kNoLeaderEpoch,
                                  .records = std::move(slices.front())});
    }
  }
  context.node.Produce(
      std::move(asked), [call, answered, image, slots = std::move(slots),
                         request = std::move(request)](const quipu::ProduceResponse& results) {
        if (!answered) {
          AnswerUnheard(*call, slots, results);
          return;
        }
        size_t next = 0;
        std::vector<NodeEndpoint> endpoints;
        ProduceResponse response = Shaped(
            request, [&](const auto&, const ProduceRequest::Partition& partition, auto& out) {
              const auto [error, slot] = slots[next++];
              out.index = partition.index;
              out.error_code = error;
              out.base_offset = kNoOffset;
              if (error == ErrorCode::kNone) {
                Fill(results.partitions[slot], image.get(), out, endpoints);
              }
            });
        response.node_endpoints = std::move(endpoints);
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
