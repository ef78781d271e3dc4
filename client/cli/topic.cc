// `quipu topic`: create, list, describe, delete, delete-records.
#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"

namespace quipu::cli {
namespace {

struct CreateOptions {
  TopicSpec spec;
  std::vector<std::string> configs;
};

absl::Status CreateTopic(const Common& common, CreateOptions options) {
  for (const std::string& config : options.configs) {
    const size_t equals = config.find('=');
    options.spec.configs[config.substr(0, equals)] = config.substr(equals + 1);
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const message::CreateTopicResult result, admin->CreateTopic(options.spec));
  const std::string id = Uuid::FromBytes(result.topic_id()).value_or(Uuid()).ToText();
  if (common.json()) {
    PrintJson(Json{{"name", options.spec.name},
                   {"topic_id", id},
                   {"partitions", result.partitions()},
                   {"replication_factor", result.replication_factor()}});
  } else {
    std::printf("created topic %s: %d partitions, replication factor %d, id %s\n",
                options.spec.name.c_str(), result.partitions(), result.replication_factor(),
                id.c_str());
  }
  return absl::OkStatus();
}

absl::Status ListTopics(const Common& common, bool internal) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<message::TopicInfo> topics, admin->ListTopics(internal));
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::TopicInfo& topic : topics) {
    const int replicas = topic.partitions_size() > 0 ? topic.partitions(0).replicas_size() : 0;
    json.push_back(Json{{"name", topic.name()},
                        {"partitions", topic.partitions_size()},
                        {"replication_factor", replicas},
                        {"internal", topic.internal()}});
    rows.push_back({topic.name(), absl::StrCat(topic.partitions_size()), absl::StrCat(replicas),
                    topic.internal() ? "yes" : "no"});
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintTable({"NAME", "PARTITIONS", "REPLICAS", "INTERNAL"}, rows);
  }
  return absl::OkStatus();
}

// The leader's view of each partition, where the leader answered.
std::map<int32_t, message::DescribePartitionsResponse::Partition> LeaderReports(
    Admin& admin, const std::string& topic) {
  std::map<int32_t, message::DescribePartitionsResponse::Partition> reports;
  const auto replicas = admin.DescribePartitions({topic});
  if (!replicas.ok()) return reports;
  for (const ReplicaReport& replica : *replicas) {
    if (replica.state.is_leader()) reports[replica.state.partition()] = replica.state;
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

absl::Status DescribeTopic(const Common& common, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const message::TopicInfo topic, admin->DescribeTopic(name));
  const auto reports = LeaderReports(*admin, name);
  Json configs = Json::object();
  for (const message::ConfigEntry& entry : topic.configs()) configs[entry.key()] = entry.value();
  Json partitions = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::PartitionInfo& partition : topic.partitions()) {
    Json json = PartitionJson(partition);
    std::vector<std::string> row = {
        absl::StrCat(partition.partition()),
        partition.leader() < 0 ? "none" : absl::StrCat(partition.leader()),
        absl::StrCat(partition.leader_epoch()),
        absl::StrJoin(partition.replicas(), ","),
        absl::StrJoin(partition.isr(), ","),
        absl::StrJoin(partition.elr(), ",")};
    const auto report = reports.find(partition.partition());
    if (report != reports.end()) {
      json["log_start_offset"] = report->second.log_start_offset();
      json["high_watermark"] = report->second.high_watermark();
      json["log_end_offset"] = report->second.log_end_offset();
      row.push_back(absl::StrCat(report->second.log_start_offset()));
      row.push_back(absl::StrCat(report->second.high_watermark()));
    } else {
      row.insert(row.end(), {"-", "-"});
    }
    partitions.push_back(json);
    rows.push_back(row);
  }
  const std::string id = Uuid::FromBytes(topic.topic_id()).value_or(Uuid()).ToText();
  if (common.json()) {
    PrintJson(Json{{"name", topic.name()},
                   {"topic_id", id},
                   {"internal", topic.internal()},
                   {"configs", configs},
                   {"partitions", partitions}});
    return absl::OkStatus();
  }
  std::printf("topic %s, id %s\n", topic.name().c_str(), id.c_str());
  for (const message::ConfigEntry& entry : topic.configs()) {
    std::printf("  %s=%s\n", entry.key().c_str(), entry.value().c_str());
  }
  PrintTable(
      {"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "ELR", "LOG-START", "HIGH-WATERMARK"},
      rows);
  return absl::OkStatus();
}

absl::Status DeleteTopic(const Common& common, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(admin->DeleteTopic(name));
  if (common.json()) {
    PrintJson(Json{{"deleted", name}});
  } else {
    std::printf("deleted topic %s\n", name.c_str());
  }
  return absl::OkStatus();
}

struct DeleteRecordsOptions {
  std::string topic;
  int32_t partition = 0;
  int64_t before = 0;
};

absl::Status DeleteRecords(const Common& common, const DeleteRecordsOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  const NamedPartition partition{.topic = options.topic,
                                 .partition = PartitionIndex(options.partition)};
  OffsetAndMetadata before;
  before.offset = Offset(options.before);
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets starts, admin->DeleteRecords({{partition, before}}));
  for (const auto& [name, start] : starts) {
    if (common.json()) {
      PrintJson(Json{{"topic", name.topic},
                     {"partition", name.partition.value()},
                     {"log_start_offset", start.offset.value()}});
    } else {
      std::printf("partition %d of %s now begins at offset %s\n", name.partition.value(),
                  name.topic.c_str(), start.offset.ToString().c_str());
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddTopicCommands(CLI::App& app, Common& common) {
  CLI::App* topic = app.add_subcommand("topic", "Topics");
  topic->require_subcommand(1);

  auto create_options = std::make_shared<CreateOptions>();
  CLI::App* create = topic->add_subcommand("create", "Create a topic");
  create->add_option("name", create_options->spec.name)->required();
  create
      ->add_option("-p,--partitions", create_options->spec.partitions,
                   "Default: the cluster's num.partitions")
      ->check(CLI::PositiveNumber);
  create
      ->add_option("-r,--replication-factor", create_options->spec.replication_factor,
                   "Default: the cluster's default.replication.factor")
      ->check(CLI::PositiveNumber);
  create->add_option("-c,--config", create_options->configs, "key=value, any number of times")
      ->check(KeyValue());
  create->add_flag("--if-not-exists", create_options->spec.if_not_exists);
  AddConnectionOptions(*create, common);
  create->footer("Example: quipu topic create payments -p 6 -c min.insync.replicas=2");
  OnCall(*create, common,
         [&common, create_options] { return CreateTopic(common, *create_options); });

  auto internal = std::make_shared<bool>(false);
  CLI::App* list = topic->add_subcommand("list", "List topics");
  list->add_flag("--internal", *internal, "Internal topics too");
  AddConnectionOptions(*list, common);
  OnCall(*list, common, [&common, internal] { return ListTopics(common, *internal); });

  auto name = std::make_shared<std::string>();
  CLI::App* describe = topic->add_subcommand("describe", "Show a topic's partitions");
  describe->add_option("name", *name)->required();
  AddConnectionOptions(*describe, common);
  OnCall(*describe, common, [&common, name] { return DescribeTopic(common, *name); });

  CLI::App* remove = topic->add_subcommand("delete", "Delete a topic and all its records");
  remove->add_option("name", *name)->required();
  AddConnectionOptions(*remove, common);
  OnCall(*remove, common, [&common, name] { return DeleteTopic(common, *name); });

  auto records = std::make_shared<DeleteRecordsOptions>();
  CLI::App* trim = topic->add_subcommand("delete-records", "Delete a partition's oldest records");
  trim->add_option("name", records->topic)->required();
  trim->add_option("-p,--partition", records->partition)->required()->check(CLI::NonNegativeNumber);
  trim->add_option("--before", records->before, "The first offset to be kept")
      ->required()
      ->check(CLI::NonNegativeNumber);
  AddConnectionOptions(*trim, common);
  trim->footer("Example: quipu topic delete-records payments -p 3 --before 120000");
  OnCall(*trim, common, [&common, records] { return DeleteRecords(common, *records); });
}

}  // namespace quipu::cli
