// OffsetDelete: forgets committed offsets. KIP-496.
#include <map>
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/offset_delete.h"

namespace quipu::kafka {

absl::Status HandleOffsetDelete(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(OffsetDeleteRequest request, call->Decode<OffsetDeleteRequest>());
  const MetadataImagePtr image = context.node.image();
  if (image == nullptr) {
    call->Answer(OffsetDeleteResponse{.error_code = ErrorCode::kNotCoordinator});
    return absl::OkStatus();
  }
  message::OffsetDeleteRequest asked;
  asked.set_group_id(request.group_id);
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    if (found.topic == nullptr) continue;
    auto* out = asked.add_partitions();
    out->set_topic_id(found.id().ToBytes());
    for (const auto& partition : topic.partitions)
      out->add_partitions(partition.partition_index.value());
  }
  if (asked.partitions().empty()) AddNobodys(asked.mutable_partitions());
  context.node.OffsetDelete(std::move(asked), [call, image, request = std::move(request)](
                                                  const message::OffsetDeleteResponse& result) {
    OffsetDeleteResponse response{.error_code = GroupError(ErrorOf(result.error_code()))};
    std::map<std::pair<std::string, int32_t>, ErrorCode> errors;
    for (const auto& partition : result.partitions()) {
      errors[{partition.topic_id(), partition.partition()}] =
          GroupError(ErrorOf(partition.error_code()));
    }
    for (const auto& topic : request.topics) {
      const FoundTopic found = FindTopic(image.get(), topic.name);
      auto& answered = response.topics.emplace_back();
      answered.name = topic.name;
      for (const auto& partition : topic.partitions) {
        const auto at = errors.find({found.id().ToBytes(), partition.partition_index.value()});
        answered.partitions.push_back({.partition_index = partition.partition_index,
                                       .error_code = found.topic == nullptr || at == errors.end()
                                                         ? found.error
                                                         : at->second});
      }
    }
    call->Answer(response);
  });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
