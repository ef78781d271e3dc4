// Settings as clients of Kafka's protocol are told of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/config/config_reader.h"
#include "core/kafka/admin/describe_configs.h"
#include "proto/message/admin.pb.h"

namespace quipu::kafka {

// What a setting belongs to: `resource_type` of several APIs.
inline constexpr int8_t kTopicResource = 2;
inline constexpr int8_t kBrokerResource = 4;

using ConfigEntries = std::vector<DescribeConfigsResponse::Config>;

// Every config of a topic, by name, with synonyms and documentation; `own`: those that it has.
ConfigEntries TopicConfigEntries(const absl::btree_map<std::string, std::string>& own);

// Every setting of a broker: those of its start, and those that can be changed while it runs.
ConfigEntries BrokerConfigEntries(const std::vector<ConfigValue>& settings,
                                  const message::DescribeConfigsResult& dynamic);

// Those that were set for the whole cluster while it runs.
ConfigEntries ClusterConfigEntries(const message::DescribeConfigsResult& dynamic);

}  // namespace quipu::kafka
