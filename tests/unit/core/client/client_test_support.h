// Small makers of answers for the tests of the client's brains.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/client/client_types.h"
#include "core/record/record_batch.h"

namespace quipu::test {

inline constexpr TopicId kTopic{1, 2};

inline TopicPartition Partition(int32_t index) { return {kTopic, PartitionIndex(index)}; }

// Milliseconds after the beginning of the test's time.
inline Instant At(int64_t ms) {
  return Instant(std::chrono::seconds(1000)) + std::chrono::milliseconds(ms);
}

inline std::string Address(int32_t broker) { return "b" + std::to_string(broker) + ":9"; }

// Brokers 1 to 3 at b1:9, b2:9, b3:9; `leaders` are {broker, epoch} by partition.
inline message::MetadataResponse MetadataAnswer(uint64_t index, const std::string& topic,
                                                TopicId topic_id,
                                                const std::vector<std::pair<int, int>>& leaders) {
  message::MetadataResponse response;
  response.set_cluster_id(std::string(16, 'c'));
  response.set_metadata_index(index);
  for (int id = 1; id <= 3; ++id) {
    message::BrokerInfo* broker = response.add_brokers();
    broker->set_broker_id(id);
    broker->mutable_endpoint()->set_host("b" + std::to_string(id));
    broker->mutable_endpoint()->set_port(9);
  }
  message::TopicInfo* info = response.add_topics();
  info->set_name(topic);
  info->set_topic_id(topic_id.ToBytes());
  int32_t partition = 0;
  for (const auto& [leader, epoch] : leaders) {
    message::PartitionInfo* p = info->add_partitions();
    p->set_partition(partition++);
    p->set_leader(leader);
    p->set_leader_epoch(epoch);
  }
  return response;
}

inline message::MetadataResponse UnknownTopicAnswer(uint64_t index, const std::string& topic) {
  message::MetadataResponse response = MetadataAnswer(index, topic, kTopic, {});
  response.mutable_topics(0)->set_error_code(
      static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
  response.mutable_topics(0)->clear_topic_id();
  return response;
}

}  // namespace quipu::test
