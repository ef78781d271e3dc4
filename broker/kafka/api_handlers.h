// What a broker does with each API of the Kafka protocol: one file of broker/kafka/log, group or
// admin for each.
//
// A handler decodes the call, asks the BrokerNode and answers later, from whatever thread the node
// replies on. It must not block. An error is returned only before anything was asked: the bytes
// were no such message, and the connection ends.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/config/config_reader.h"
#include "broker/broker_node.h"
#include "broker/kafka/kafka_call.h"
#include "core/kafka/served_apis.h"

namespace quipu::kafka {

// What handlers share; outlives every call.
struct KafkaContext {
  BrokerNode& node;
  const BrokerConfig& config;
  const ServedApis& served;
  const std::vector<ConfigValue>& settings;  // as the process was started
  const std::string& log_dir;                // where the replicas are
  bool auto_create_topics = false;           // auto.create.topics.enable
};

using KafkaHandler = absl::Status (*)(const KafkaContext& context, const KafkaCallPtr& call);

struct KafkaApi {
  ApiKey key;
  KafkaHandler handle;
};
// Every API that is served. What is not here is not advertised.
absl::Span<const KafkaApi> KafkaApis();

absl::Status HandleAlterConfigs(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleApiVersions(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleCreatePartitions(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleCreateTopics(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDeleteGroups(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDeleteRecords(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDeleteTopics(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDescribeCluster(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDescribeConfigs(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDescribeGroups(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDescribeLogDirs(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDescribeProducers(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleDescribeTopicPartitions(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleElectLeaders(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleFetch(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleFindCoordinator(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleHeartbeat(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleIncrementalAlterConfigs(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleInitProducerId(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleJoinGroup(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleLeaveGroup(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleListGroups(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleListOffsets(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleMetadata(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleOffsetCommit(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleOffsetDelete(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleOffsetFetch(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleOffsetForLeaderEpoch(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleProduce(const KafkaContext& context, const KafkaCallPtr& call);
absl::Status HandleSyncGroup(const KafkaContext& context, const KafkaCallPtr& call);

}  // namespace quipu::kafka
