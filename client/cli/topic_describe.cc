// `quipu topic describe`: partitions, offsets and configs, with Kafka's filters.
#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/monitor/min_isr.h"
#include "client/cli/support/verb_json.h"

namespace quipu::cli {
namespace {

struct DescribeOptions {
  std::vector<std::string> names;
  bool under_replicated = false;
  bool unavailable = false;
  bool under_min_isr = false;
  bool at_min_isr = false;
  bool with_overrides = false;
  [[nodiscard]] bool by_partition() const {
    return under_replicated || unavailable || under_min_isr || at_min_isr;
  }
  // The one topic asked for is told whole; anything else is a list.
  [[nodiscard]] bool one_topic() const {
    return names.size() == 1 && !by_partition() && !with_overrides;
  }
};

bool IsWanted(const DescribeOptions& options, const message::TopicInfo& topic,
              const message::PartitionInfo& partition) {
  if (!options.by_partition()) return true;
  const int minimum = EffectiveMinIsr(topic, partition);
  return (options.under_replicated && partition.isr_size() < partition.replicas_size()) ||
         (options.unavailable && partition.leader() < 0) ||
         (options.under_min_isr && partition.isr_size() < minimum) ||
         (options.at_min_isr && partition.isr_size() == minimum);
}

// Whether a config of the topic is not as the cluster's default has it.
bool HasOverrides(const message::TopicInfo& topic, const std::string& default_minimum) {
  return std::any_of(topic.configs().begin(), topic.configs().end(), [&](const auto& entry) {
    return entry.key() != kMinIsrKey || entry.value() != default_minimum;
  });
}

using LeaderReports =
    std::map<std::pair<std::string, int32_t>, message::DescribePartitionsResponse::Partition>;

// The leader's view of each partition, where the leader answered.
LeaderReports ReportsOf(Admin& admin, const std::vector<std::string>& topics) {
  LeaderReports reports;
  const auto replicas = admin.DescribePartitions(topics);
  if (!replicas.ok()) {
    std::fprintf(stderr, "quipu: offsets are not known: %s\n",
                 std::string(replicas.status().message()).c_str());
    return reports;
  }
  for (const ReplicaReport& replica : *replicas) {
    if (!replica.state.is_leader()) continue;
    // A deposed leader may still think that it leads.
    const auto [at, is_new] =
        reports.try_emplace({replica.state.topic_id(), replica.state.partition()}, replica.state);
    if (!is_new && at->second.leader_epoch() < replica.state.leader_epoch()) {
      at->second = replica.state;
    }
  }
  return reports;
}

Json PartitionJson(const message::PartitionInfo& partition) {
  return Json{
      {"partition", partition.partition()},
      {"leader", partition.leader()},
      {"leader_epoch", partition.leader_epoch()},
      {"replicas", std::vector<int>(partition.replicas().begin(), partition.replicas().end())},
      {"isr", std::vector<int>(partition.isr().begin(), partition.isr().end())},
      {"elr", std::vector<int>(partition.elr().begin(), partition.elr().end())}};
}

// A topic as JSON, with those of its partitions that are wanted.
Json TopicJson(const DescribeOptions& options, const message::TopicInfo& topic,
               const LeaderReports& reports) {
  Json configs = Json::object();
  for (const message::ConfigEntry& entry : topic.configs()) configs[entry.key()] = entry.value();
  Json partitions = Json::array();
  for (const message::PartitionInfo& partition : topic.partitions()) {
    if (!IsWanted(options, topic, partition)) continue;
    Json json = PartitionJson(partition);
    const auto report = reports.find({topic.topic_id(), partition.partition()});
    if (report != reports.end()) {
      json["log_start_offset"] = report->second.log_start_offset();
      json["high_watermark"] = report->second.high_watermark();
      json["log_end_offset"] = report->second.log_end_offset();
    }
    partitions.push_back(json);
  }
  return Json{{"name", topic.name()},
              {"topic_id", Uuid::FromBytes(topic.topic_id()).value_or(Uuid()).ToText()},
              {"internal", topic.internal()},
              {"configs", configs},
              {"partitions", partitions}};
}

std::string Joined(const Json& ids) { return absl::StrJoin(ids.get<std::vector<int>>(), ","); }

void PrintTopic(const Json& topic) {
  std::printf("topic %s, id %s\n", topic["name"].get<std::string>().c_str(),
              topic["topic_id"].get<std::string>().c_str());
  for (const auto& [key, value] : topic["configs"].items()) {
    std::printf("  %s=%s\n", key.c_str(), value.get<std::string>().c_str());
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& partition : topic["partitions"]) {
    const auto offset = [&](const char* name) {
      return partition.contains(name) ? partition[name].dump() : std::string("-");
    };
    const int leader = partition["leader"].get<int>();
    rows.push_back({partition["partition"].dump(), leader < 0 ? "none" : absl::StrCat(leader),
                    partition["leader_epoch"].dump(), Joined(partition["replicas"]),
                    Joined(partition["isr"]), Joined(partition["elr"]), offset("log_start_offset"),
                    offset("high_watermark")});
  }
  PrintTable(
      {"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "ELR", "LOG-START", "HIGH-WATERMARK"},
      rows);
}

absl::StatusOr<std::vector<message::TopicInfo>> TopicsAskedFor(Admin& admin,
                                                               const DescribeOptions& options) {
  if (options.names.empty()) return admin.ListTopics(/*with_internal=*/true);
  std::vector<message::TopicInfo> topics;
  for (const std::string& name : options.names) {
    QUIPU_ASSIGN_OR_RETURN(message::TopicInfo topic, admin.DescribeTopic(name));
    topics.push_back(std::move(topic));
  }
  return topics;
}

Json TopicsJson(Admin& admin, const DescribeOptions& options,
                const std::vector<message::TopicInfo>& topics) {
  std::vector<std::string> names;
  for (const message::TopicInfo& topic : topics) names.push_back(topic.name());
  const LeaderReports reports = names.empty() ? LeaderReports() : ReportsOf(admin, names);
  Json told = Json::array();
  for (const message::TopicInfo& topic : topics) {
    Json json = TopicJson(options, topic, reports);
    if (options.by_partition() && json["partitions"].empty()) continue;
    told.push_back(std::move(json));
  }
  return told;
}

absl::Status DescribeTopics(const Common& common, const DescribeOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(std::vector<message::TopicInfo> topics, TopicsAskedFor(*admin, options));
  if (options.with_overrides) {
    QUIPU_ASSIGN_OR_RETURN(const auto configs, admin->DescribeConfigs());
    std::string minimum;
    for (const message::DynamicConfig& config : configs) {
      if (config.key() == kMinIsrKey) minimum = config.value();
    }
    std::erase_if(topics, [&](const auto& topic) { return !HasOverrides(topic, minimum); });
  }
  const Json told = TopicsJson(*admin, options, topics);
  if (common.json()) {
    PrintJson(options.one_topic() ? told[0] : told);
    return absl::OkStatus();
  }
  for (const Json& topic : told) {
    PrintTopic(topic);
    if (topic != told.back()) std::printf("\n");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> TopicsJson(Admin& admin) {
  QUIPU_ASSIGN_OR_RETURN(const auto topics, admin.ListTopics(/*with_internal=*/true));
  return TopicsJson(admin, DescribeOptions(), topics);
}

void AddTopicDescribe(CLI::App& topic, Common& common) {
  auto options = std::make_shared<DescribeOptions>();
  CLI::App* describe = topic.add_subcommand("describe", "Show topics and their partitions");
  describe->add_option("name", options->names, "Topics; none: all");
  describe->add_flag("--under-replicated", options->under_replicated,
                     "Partitions with a replica out of the ISR");
  describe->add_flag("--unavailable", options->unavailable, "Partitions without a leader");
  describe->add_flag("--under-min-isr", options->under_min_isr,
                     "Partitions whose ISR is below min.insync.replicas: nothing is acknowledged");
  describe->add_flag("--at-min-isr", options->at_min_isr,
                     "Partitions that cannot lose another replica");
  describe->add_flag("--with-overrides", options->with_overrides,
                     "Topics with a config other than the cluster's default");
  AddConnectionOptions(*describe, common);
  describe->footer(
      "Several filters of partitions show what any of them is true of.\n"
      "Examples:\n"
      "  quipu topic describe payments\n"
      "  quipu topic describe --under-replicated --unavailable -o json");
  OnCall(*describe, common, [&common, options] { return DescribeTopics(common, *options); });
}

}  // namespace quipu::cli
