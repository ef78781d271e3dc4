// DescribeProducers: the idempotent producers that a leader remembers.
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/log/describe_producers.h"

namespace quipu::kafka {
namespace {

using DescribedReplica = message::DescribePartitionsResponse::Partition;
using DescribedReplicas = std::map<std::pair<TopicId, PartitionIndex>, const DescribedReplica*>;

constexpr int32_t kProducersMax = 10000;  // of each thread; the broker takes no more

void Fill(const DescribedReplica& replica, DescribeProducersResponse::Partition& out) {
  for (const auto& producer : replica.producers()) {
    out.active_producers.push_back({.producer_id = ProducerId(producer.producer_id()),
                                    .producer_epoch = producer.producer_epoch(),
                                    .last_sequence = Sequence(producer.last_sequence()),
                                    .last_timestamp = TimestampMs(producer.last_timestamp()),
                                    .coordinator_epoch = -1});
  }
  if (replica.producers_size() < replica.producers_known()) {
    out.error_message =
        absl::StrCat("the newest ", replica.producers_size(), " of ", replica.producers_known());
  }
}

DescribeProducersResponse ToResponse(const DescribeProducersRequest& request,
                                     const MetadataImage* image,
                                     const DescribedReplicas& replicas) {
  DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    auto& out_topic = response.topics.emplace_back();
    out_topic.name = topic.name;
    const FoundTopic found = FindTopic(image, topic.name);
    const std::set<PartitionIndex> indexes(topic.partition_indexes.begin(),
                                           topic.partition_indexes.end());
    for (const PartitionIndex index : indexes) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = index;
      out.error_code = found.error;
      if (found.topic == nullptr) continue;
      const auto replica = replicas.find({found.id(), index});
      if (image->FindPartition(found.id(), index) == nullptr) {
        out.error_code = ErrorCode::kUnknownTopicOrPartition;
      } else if (replica == replicas.end() || !replica->second->is_leader()) {
        out.error_code = ErrorCode::kNotLeaderOrFollower;
      } else {
        Fill(*replica->second, out);
      }
    }
  }
  return response;
}

}  // namespace

absl::Status HandleDescribeProducers(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(DescribeProducersRequest request,
                         call->Decode<DescribeProducersRequest>());
  // Each topic once: its producers would be told anew each time.
  std::set<std::string> seen;
  std::erase_if(request.topics,
                [&seen](const auto& topic) { return !seen.insert(topic.name).second; });
  const MetadataImagePtr image = context.node.image();
  message::DescribePartitionsRequest asked;
  asked.set_producers_max(kProducersMax);
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image.get(), topic.name);
    if (found.topic != nullptr) asked.add_topic_ids(found.id().ToBytes());
  }
  if (asked.topic_ids().empty()) {
    call->Answer(ToResponse(request, image.get(), {}));
    return absl::OkStatus();
  }
  context.node.DescribePartitions(
      std::move(asked), [call, image, request = std::move(request)](
                            const message::DescribePartitionsResponse& described) {
        DescribedReplicas replicas;
        for (const DescribedReplica& replica : described.partitions()) {
          replicas[{Uuid::FromBytes(replica.topic_id()).value_or(Uuid()),
                    PartitionIndex(replica.partition())}] = &replica;
        }
        call->Answer(ToResponse(request, image.get(), replicas));
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
