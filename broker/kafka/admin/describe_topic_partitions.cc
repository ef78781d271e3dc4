// DescribeTopicPartitions (KIP-966): topics by rising name, a page at a time.
#include <algorithm>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/authorized_operations.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/admin/describe_topic_partitions.h"
#include "core/metadata/topic_config.h"

namespace quipu::kafka {
namespace {

using TopicPartitions = DescribeTopicPartitionsResponse;

constexpr size_t kPartitionsMax = 2000;  // of one page, whatever is asked

std::set<std::string> NamesFrom(const DescribeTopicPartitionsRequest& request,
                                const MetadataImage& image) {
  std::set<std::string> names;
  for (const auto& topic : request.topics) names.insert(topic.name);
  if (request.topics.empty()) {
    for (const auto& [id, topic] : image.topics()) names.insert(topic.name);
  }
  if (request.cursor) names.erase(names.begin(), names.lower_bound(request.cursor->topic_name));
  return names;
}

// Partitions from `first` on while there is `room`; returns where to go on, or the number of
// partitions when that was all.
size_t AddPartitions(const MetadataImage& image, const TopicImage& topic, size_t first,
                     size_t& room, TopicPartitions::Topic& out) {
  size_t next = first;
  for (; next < topic.partitions.size() && room > 0; ++next, --room) {
    const PartitionImage* partition = image.FindPartition(topic.partitions[next]);
    if (partition == nullptr) continue;
    auto& described = out.partitions.emplace_back();
    DescribePartition(image, *partition, described);
    described.eligible_leader_replicas = partition->elr;
    described.last_known_elr.emplace();  // none is kept; Kafka's Java client fails on null
  }
  return next;
}

TopicPartitions PageOf(const DescribeTopicPartitionsRequest& request, const MetadataImage& image) {
  TopicPartitions response;
  size_t room = std::clamp<size_t>(
      static_cast<size_t>(std::max(request.response_partition_limit, 1)), 1, kPartitionsMax);
  for (const std::string& name : NamesFrom(request, image)) {
    const bool resumed = request.cursor && request.cursor->topic_name == name;
    const size_t first =
        resumed ? static_cast<size_t>(std::max(request.cursor->partition_index.value(), 0)) : 0;
    if (room == 0) {
      response.next_cursor = {.topic_name = name, .partition_index = PartitionIndex(0)};
      break;
    }
    TopicPartitions::Topic& out = response.topics.emplace_back();
    out.name = name;
    const FoundTopic found = FindTopic(&image, name);
    if (found.topic == nullptr) {
      const TopicRefusal refusal = CheckTopicName(name, IsInternalTopic(name));
      out.error_code = refusal.ok() ? found.error : refusal.error;
      --room;
      continue;
    }
    out.topic_id = found.id();
    out.is_internal = IsInternalTopic(name);
    out.topic_authorized_operations = kTopicOperations;
    const size_t next = AddPartitions(image, *found.topic, first, room, out);
    if (next < found.topic->partitions.size()) {
      response.next_cursor = {.topic_name = name,
                              .partition_index = PartitionIndex(static_cast<int32_t>(next))};
      break;
    }
  }
  return response;
}

}  // namespace

absl::Status HandleDescribeTopicPartitions(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const DescribeTopicPartitionsRequest request,
                         call->Decode<DescribeTopicPartitionsRequest>());
  const MetadataImagePtr image = context.node.image();
  if (image != nullptr) {
    call->Answer(PageOf(request, *image));
    return absl::OkStatus();
  }
  TopicPartitions response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    out.error_code = ErrorCode::kLeaderNotAvailable;
  }
  call->Answer(response);
  return absl::OkStatus();
}

}  // namespace quipu::kafka
