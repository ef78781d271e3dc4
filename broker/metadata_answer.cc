#include "broker/metadata_answer.h"

#include "base/error_code.h"
#include "core/metadata/topic_config.h"

namespace quipu {
namespace {

void AddBroker(const BrokerImage& broker, message::MetadataResponse& response) {
  auto* info = response.add_brokers();
  info->set_broker_id(broker.id.value());
  info->mutable_endpoint()->set_host(broker.client_endpoint.host);
  info->mutable_endpoint()->set_port(broker.client_endpoint.port);
  if (!broker.kafka_endpoint.host.empty()) {
    info->mutable_kafka_endpoint()->set_host(broker.kafka_endpoint.host);
    info->mutable_kafka_endpoint()->set_port(broker.kafka_endpoint.port);
  }
  info->set_rack(broker.rack);
  info->set_fenced(broker.fenced);
  info->set_in_controlled_shutdown(broker.in_controlled_shutdown);
  info->set_broker_epoch(broker.epoch.value());
  info->set_version(broker.version);
  info->set_unclean(broker.unclean);
  info->set_disk_stalled(broker.disk_stalled);
  info->set_drain(broker.drain);
}

void AddPartition(const PartitionImage& partition, message::TopicInfo& topic) {
  auto* info = topic.add_partitions();
  info->set_partition(partition.index.value());
  info->set_leader(partition.leader.value());
  info->set_leader_epoch(partition.leader_epoch.value());
  for (const BrokerId id : partition.replicas) info->add_replicas(id.value());
  for (const BrokerId id : partition.isr) info->add_isr(id.value());
  for (const BrokerId id : partition.elr) info->add_elr(id.value());
  info->set_partition_uid(partition.uid.value());
  info->set_partition_epoch(partition.partition_epoch.value());
}

void AddTopic(const MetadataImage& image, const TopicImage& topic,
              message::MetadataResponse& response) {
  auto* info = response.add_topics();
  info->set_name(topic.name);
  info->set_topic_id(topic.id.ToBytes());
  info->set_internal(IsInternalTopic(topic.name));
  for (const PartitionUid uid : topic.partitions) {
    if (const PartitionImage* partition = image.FindPartition(uid)) AddPartition(*partition, *info);
  }
  for (const auto& [key, value] : topic.configs) {
    auto* config = info->add_configs();
    config->set_key(key);
    config->set_value(value);
  }
}

}  // namespace

message::MetadataResponse MetadataAnswer(const MetadataImage& image, ControllerId controller,
                                         const message::MetadataRequest& request) {
  message::MetadataResponse response;
  response.set_cluster_id(image.cluster_id().ToBytes());
  response.set_controller_id(controller.value());
  response.set_metadata_index(image.index().value());
  for (const auto& [id, broker] : image.brokers()) AddBroker(broker, response);
  if (request.all_topics()) {
    for (const auto& [id, topic] : image.topics()) AddTopic(image, topic, response);
    return response;
  }
  for (const std::string& name : request.topics()) {
    if (const TopicImage* topic = image.FindTopicByName(name)) {
      AddTopic(image, *topic, response);
      continue;
    }
    auto* info = response.add_topics();
    info->set_name(name);
    info->set_error_code(static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
  }
  for (const std::string& bytes : request.topic_ids()) {
    const std::optional<Uuid> id = Uuid::FromBytes(bytes);
    const TopicImage* topic = id ? image.FindTopic(*id) : nullptr;
    if (topic != nullptr) {
      AddTopic(image, *topic, response);
      continue;
    }
    auto* info = response.add_topics();
    info->set_topic_id(bytes);
    info->set_error_code(static_cast<int32_t>(ErrorCode::kUnknownTopicId));
  }
  return response;
}

}  // namespace quipu
