// Topics by name or id, and brokers as Kafka's clients reach them, in one image of the metadata.
#pragma once

#include <string>

#include "base/error_code.h"
#include "core/kafka/shared_structs.h"
#include "core/metadata/metadata_image.h"
#include "proto/record/group.pb.h"

namespace quipu::kafka {

// What a client calls a topic, as one thing to ask for. `topic` is nullptr with an error:
//   kNotLeaderOrFollower      no metadata have come yet: clients ask again, and others meanwhile
//   kUnknownTopicOrPartition  no topic of this name
//   kUnknownTopicId           no topic of this id
struct FoundTopic {
  ErrorCode error = ErrorCode::kNone;
  const TopicImage* topic = nullptr;

  // Zero when there is none.
  [[nodiscard]] TopicId id() const { return topic == nullptr ? TopicId() : topic->id; }
};

// `image` may be nullptr; the result lives as long as it.
FoundTopic FindTopic(const MetadataImage* image, const std::string& name);
FoundTopic FindTopic(const MetadataImage* image, TopicId id);
// By id when it is not zero, else by name: the newer versions of some APIs have ids alone.
FoundTopic FindTopic(const MetadataImage* image, const std::string& name, TopicId id);

// What every description of a partition has: leader, replicas, who is in sync and who is away.
template <typename Out>
void DescribePartition(const MetadataImage& image, const PartitionImage& partition, Out& out) {
  out.partition_index = partition.index;
  out.leader_id = partition.leader;
  out.leader_epoch = partition.leader_epoch;
  out.replica_nodes = partition.replicas;
  out.isr_nodes = partition.isr;
  for (const BrokerId id : partition.replicas) {
    const BrokerImage* broker = image.FindBroker(id);
    if (broker == nullptr || broker->fenced) out.offline_replicas.push_back(id);
  }
  // Nor is one told whom the client cannot reach: without `listener.kafka`, it is not among the
  // brokers of the answer.
  const BrokerImage* leader = image.FindBroker(partition.leader);
  if (leader == nullptr || leader->kafka_endpoint.host.empty()) {
    out.leader_id = kNoBroker;
    out.error_code = ErrorCode::kLeaderNotAvailable;
  }
}

// A partition of a topic that nobody has, for a request that would mean "all" without any: whether
// the asked broker coordinates the group is then still its own to say.
void AddNobodys(google::protobuf::RepeatedPtrField<record::TopicPartitions>* partitions);

// Adds the address of `broker` to `endpoints` once, if it serves Kafka's protocol.
void AddEndpoint(const MetadataImage* image, BrokerId broker, std::vector<NodeEndpoint>& endpoints);

}  // namespace quipu::kafka
