// CreateTopics: each topic by itself; one that is refused hinders no other.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/config_entries.h"
#include "core/kafka/admin/create_topics.h"
#include "core/metadata/topic_config.h"

namespace quipu::kafka {
namespace {

// The given replicas, by partition.
TopicRefusal AddAssignments(const CreateTopicsRequest::Topic& topic, message::CreateTopic& out) {
  if (topic.assignments.empty()) return {};
  if (topic.num_partitions != -1 || topic.replication_factor != -1) {
    return {ErrorCode::kInvalidRequest,
            "where replicas are given, the numbers of partitions and replicas must be -1"};
  }
  std::map<PartitionIndex, const std::vector<BrokerId>*> by_index;
  for (const auto& assignment : topic.assignments) {
    by_index.emplace(assignment.partition_index, &assignment.broker_ids);
  }
  const auto last = static_cast<int32_t>(topic.assignments.size()) - 1;
  const bool consecutive = by_index.size() == topic.assignments.size() &&
                           by_index.begin()->first.value() == 0 &&
                           by_index.rbegin()->first.value() == last;
  if (!consecutive) {
    return {ErrorCode::kInvalidReplicaAssignment,
            "replicas must be given for each partition once, from 0 without a gap"};
  }
  for (const auto& [index, brokers] : by_index) {
    if (brokers->empty()) {
      return {ErrorCode::kInvalidReplicaAssignment,
              absl::StrCat("partition ", index.value(), " is given no replica")};
    }
    auto* replicas = out.add_assignments();
    for (const BrokerId broker : *brokers) replicas->add_broker_ids(broker.value());
  }
  return {};
}

TopicRefusal ToAsked(const CreateTopicsRequest::Topic& topic, message::CreateTopic& out) {
  out.set_name(topic.name);
  out.set_partitions(topic.num_partitions);
  out.set_replication_factor(topic.replication_factor);
  for (const auto& config : topic.configs) {
    if (!config.value) {
      return {ErrorCode::kInvalidConfig, absl::StrCat(config.name, " is given without a value")};
    }
    auto* entry = out.add_configs();
    entry->set_key(config.name);
    entry->set_value(*config.value);
  }
  return AddAssignments(topic, out);
}

void Fill(const message::AdminResponse& result, bool validate_only,
          CreateTopicsResponse::Topic& out) {
  SetOutcome(result, out);
  if (out.error_code != ErrorCode::kNone) return;
  const message::CreateTopicResult& made = result.create_topic();
  if (!validate_only) out.topic_id = Uuid::FromBytes(made.topic_id()).value_or(Uuid());
  out.num_partitions = made.partitions();
  out.replication_factor = static_cast<int16_t>(made.replication_factor());
  absl::btree_map<std::string, std::string> own;
  for (const message::ConfigEntry& entry : made.configs()) own[entry.key()] = entry.value();
  out.configs.emplace();
  for (auto& entry : TopicConfigEntries(own)) {
    out.configs->push_back({.name = std::move(entry.name),
                            .value = std::move(entry.value),
                            .config_source = entry.config_source});
  }
}

}  // namespace

absl::Status HandleCreateTopics(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(CreateTopicsRequest request, call->Decode<CreateTopicsRequest>());
  const auto repeated = DropRepeated(request.topics, [](const auto& topic) { return topic.name; });
  CreateTopicsResponse response;
  std::vector<AdminCall> asked;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    if (repeated.contains(topic.name)) {
      RefuseRepeated(out);
      continue;
    }
    AdminCall admin{.place = response.topics.size() - 1, .request = {}};
    admin.request.set_validate_only(request.validate_only);
    TopicRefusal refusal = ToAsked(topic, *admin.request.mutable_create_topic());
    if (refusal.ok()) {
      asked.push_back(std::move(admin));
    } else {
      Refuse(refusal.error, std::move(refusal.message), out);
    }
  }
  AskControllers(context.node, call, std::move(response), std::move(asked),
                 [validate_only = request.validate_only](CreateTopicsResponse& all, size_t place,
                                                         const message::AdminResponse& result) {
                   Fill(result, validate_only, all.topics[place]);
                 });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
