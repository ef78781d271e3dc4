#include "broker/kafka/topic_lookup.h"

#include <algorithm>
#include <optional>

namespace quipu::kafka {

FoundTopic FindTopic(const MetadataImage* image, const std::string& name) {
  if (image == nullptr) return {.error = ErrorCode::kNotLeaderOrFollower};
  const TopicImage* topic = image->FindTopicByName(name);
  if (topic == nullptr) return {.error = ErrorCode::kUnknownTopicOrPartition};
  return {.topic = topic};
}

FoundTopic FindTopic(const MetadataImage* image, TopicId id) {
  if (image == nullptr) return {.error = ErrorCode::kNotLeaderOrFollower};
  const TopicImage* topic = image->FindTopic(id);
  if (topic == nullptr) return {.error = ErrorCode::kUnknownTopicId};
  return {.topic = topic};
}

FoundTopic FindTopic(const MetadataImage* image, const std::string& name, TopicId id) {
  return id.IsZero() ? FindTopic(image, name) : FindTopic(image, id);
}

void AddNobodys(google::protobuf::RepeatedPtrField<record::TopicPartitions>* partitions) {
  record::TopicPartitions* nobodys = partitions->Add();
  nobodys->set_topic_id(Uuid().ToBytes());
  nobodys->add_partitions(0);
}

void AddEndpoint(const MetadataImage* image, BrokerId broker,
                 std::vector<NodeEndpoint>& endpoints) {
  const BrokerImage* found = image == nullptr ? nullptr : image->FindBroker(broker);
  if (found == nullptr || found->kafka_endpoint.host.empty()) return;
  if (std::ranges::any_of(endpoints, [broker](const auto& e) { return e.node_id == broker; }))
    return;
  endpoints.push_back({.node_id = broker,
                       .host = found->kafka_endpoint.host,
                       .port = found->kafka_endpoint.port,
                       .rack = found->rack.empty() ? std::nullopt : std::optional(found->rack)});
}

}  // namespace quipu::kafka
