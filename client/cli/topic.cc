// `quipu topic`: create, list, alter, add-partitions, delete, delete-records. topic_describe.cc:
// describe.
#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config/config_spec.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"

namespace quipu::cli {
namespace {

void AddValidateOnly(CLI::App& verb, AdminMode& mode) {
  verb.add_flag_callback(
      "--validate-only", [&mode] { mode = AdminMode::kValidate; }, "Check, and change nothing");
}

// What was only checked says so.
void AddMode(AdminMode mode, Json& json) {
  if (mode == AdminMode::kValidate) json["validate_only"] = true;
}

struct CreateOptions {
  TopicSpec spec;
  std::vector<std::string> configs;
  std::string replicas;
  AdminMode mode = AdminMode::kMake;
};

// "1:2,2:3": of each partition its brokers.
absl::StatusOr<std::vector<std::vector<BrokerId>>> ParseReplicas(const std::string& text) {
  std::vector<std::vector<BrokerId>> partitions;
  if (text.empty()) return partitions;
  for (const absl::string_view partition : absl::StrSplit(text, ',')) {
    std::vector<BrokerId>& brokers = partitions.emplace_back();
    for (const absl::string_view broker : absl::StrSplit(partition, ':')) {
      int64_t id = 0;
      if (!ParseWholeNumber(broker, 0, std::numeric_limits<int32_t>::max(), &id)) {
        return WrongArguments(absl::StrCat("--replica-assignment: '", ShownConfigValue(broker),
                                           "' is no broker id; expected 1:2:3,2:3:1 and so on"));
      }
      brokers.emplace_back(static_cast<int32_t>(id));
    }
  }
  return partitions;
}

absl::Status CreateTopic(const Common& common, CreateOptions options) {
  QUIPU_ASSIGN_OR_RETURN(options.spec.configs, KeyValues(options.configs));
  QUIPU_ASSIGN_OR_RETURN(options.spec.replicas, ParseReplicas(options.replicas));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const message::CreateTopicResult result,
                         admin->CreateTopic(options.spec, options.mode));
  const bool made = options.mode == AdminMode::kMake;
  const std::string id = Uuid::FromBytes(result.topic_id()).value_or(Uuid()).ToText();
  if (common.json()) {
    Json json{{"name", options.spec.name},
              {"topic_id", nullptr},
              {"partitions", result.partitions()},
              {"replication_factor", result.replication_factor()}};
    if (made) json["topic_id"] = id;
    AddMode(options.mode, json);
    PrintJson(json);
  } else if (made) {
    std::printf("created topic %s: %d partitions, replication factor %d, id %s\n",
                options.spec.name.c_str(), result.partitions(), result.replication_factor(),
                id.c_str());
  } else {
    std::printf("topic %s would have %d partitions, replication factor %d\n",
                options.spec.name.c_str(), result.partitions(), result.replication_factor());
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
  std::vector<int32_t> partitions;
  bool all_partitions = false;
  int64_t before = -1;
  bool to_high_watermark = false;
};

absl::Status DeleteRecords(const Common& common, const DeleteRecordsOptions& options) {
  if (options.partitions.empty() != options.all_partitions) {
    return WrongArguments("expected either --partition or --all-partitions");
  }
  if ((options.before >= 0) == options.to_high_watermark) {
    return WrongArguments("expected either --before OFFSET or --to-high-watermark");
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  std::vector<int32_t> partitions = options.partitions;
  if (options.all_partitions) {
    QUIPU_ASSIGN_OR_RETURN(const message::TopicInfo topic, admin->DescribeTopic(options.topic));
    for (const auto& partition : topic.partitions()) partitions.push_back(partition.partition());
  }
  NamedOffsets before;
  for (const int32_t partition : partitions) {
    OffsetAndMetadata offset;
    offset.offset = options.to_high_watermark ? kNoOffset : Offset(options.before);
    before.emplace_back(
        NamedPartition{.topic = options.topic, .partition = PartitionIndex(partition)}, offset);
  }
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets starts, admin->DeleteRecords(before));
  Json json = Json::array();
  for (const auto& [name, start] : starts) {
    json.push_back(Json{{"topic", name.topic},
                        {"partition", name.partition.value()},
                        {"log_start_offset", start.offset.value()}});
    if (common.json()) continue;
    std::printf("partition %d of %s now begins at offset %s\n", name.partition.value(),
                name.topic.c_str(), start.offset.ToString().c_str());
  }
  // One partition is told as one object, as it always was.
  if (common.json()) PrintJson(options.all_partitions || json.size() != 1 ? json : json[0]);
  return absl::OkStatus();
}

struct AlterOptions {
  std::string topic;
  std::vector<std::string> set;
  std::vector<std::string> remove;
  AdminMode mode = AdminMode::kMake;
};

absl::Status AlterTopic(const Common& common, const AlterOptions& options) {
  if (options.set.empty() && options.remove.empty()) {
    return WrongArguments("expected --config key=value or --delete-config key");
  }
  QUIPU_ASSIGN_OR_RETURN(const auto set, KeyValues(options.set));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(admin->AlterTopicConfig(options.topic, set, options.remove, options.mode));
  if (common.json()) {
    Json json{{"topic", options.topic}, {"set", Json::object()}, {"deleted", options.remove}};
    for (const auto& [key, value] : set) json["set"][key] = value;
    AddMode(options.mode, json);
    PrintJson(json);
    return absl::OkStatus();
  }
  if (options.mode == AdminMode::kValidate) {
    std::printf("topic %s: nothing is changed, and nothing is wrong\n", options.topic.c_str());
    return absl::OkStatus();
  }
  for (const auto& [key, value] : set) {
    std::printf("topic %s: %s=%s\n", options.topic.c_str(), key.c_str(), value.c_str());
  }
  for (const std::string& key : options.remove) {
    std::printf("topic %s: %s is the cluster's default again\n", options.topic.c_str(),
                key.c_str());
  }
  return absl::OkStatus();
}

struct AddPartitionsOptions {
  std::string topic;
  int32_t count = 0;
  bool allow_key_remap = false;
  AdminMode mode = AdminMode::kMake;
};

absl::Status AddPartitions(const Common& common, const AddPartitionsOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(
      admin->CreatePartitions(options.topic, options.count, options.allow_key_remap, options.mode));
  if (common.json()) {
    Json json{{"topic", options.topic}, {"partitions", options.count}};
    AddMode(options.mode, json);
    PrintJson(json);
  } else if (options.mode == AdminMode::kValidate) {
    std::printf("topic %s could have %d partitions\n", options.topic.c_str(), options.count);
  } else {
    std::printf("topic %s has %d partitions; accounts may be in others than before\n",
                options.topic.c_str(), options.count);
  }
  return absl::OkStatus();
}

void AddDeleteRecords(CLI::App& topic, Common& common) {
  auto records = std::make_shared<DeleteRecordsOptions>();
  CLI::App* trim = topic.add_subcommand("delete-records", "Delete the oldest records");
  trim->add_option("name", records->topic)->required();
  trim->add_option("-p,--partition", records->partitions, "May be repeated")
      ->check(CLI::NonNegativeNumber);
  trim->add_flag("--all-partitions", records->all_partitions);
  trim->add_option("--before", records->before, "The first offset to be kept")
      ->check(CLI::NonNegativeNumber);
  trim->add_flag("--to-high-watermark", records->to_high_watermark, "Everything committed by now");
  AddConnectionOptions(*trim, common);
  trim->footer(
      "Examples:\n"
      "  quipu topic delete-records payments -p 3 --before 120000\n"
      "  quipu topic delete-records payments --all-partitions --to-high-watermark");
  OnCall(*trim, common, [&common, records] { return DeleteRecords(common, *records); });
}

void AddAlter(CLI::App& topic, Common& common) {
  auto options = std::make_shared<AlterOptions>();
  CLI::App* alter = topic.add_subcommand("alter", "Change a topic's configs");
  alter->add_option("name", options->topic)->required();
  alter->add_option("-c,--config", options->set, "key=value, any number of times")
      ->check(KeyValue());
  alter->add_option("--delete-config", options->remove, "key: back to the cluster's default");
  AddValidateOnly(*alter, options->mode);
  AddConnectionOptions(*alter, common);
  alter->footer(
      "Examples:\n"
      "  quipu topic alter payments -c retention.ms=604800000 -c min.insync.replicas=2\n"
      "  quipu topic alter payments --delete-config retention.ms");
  OnCall(*alter, common, [&common, options] { return AlterTopic(common, *options); });
}

void AddAddPartitions(CLI::App& topic, Common& common) {
  auto options = std::make_shared<AddPartitionsOptions>();
  CLI::App* add = topic.add_subcommand(
      "add-partitions", "Raise a topic's number of partitions; accounts move by that");
  add->add_option("name", options->topic)->required();
  add->add_option("-p,--partitions", options->count, "How many there are afterwards")
      ->required()
      ->check(CLI::PositiveNumber);
  add->add_flag("--allow-key-remap", options->allow_key_remap,
                "Most accounts move to other partitions, and the order of an account's records "
                "across the change is not kept. Stop its producers and let the consumers finish "
                "first");
  AddValidateOnly(*add, options->mode);
  AddConnectionOptions(*add, common);
  add->footer("Example: quipu topic add-partitions payments -p 12 --allow-key-remap");
  OnCall(*add, common, [&common, options] { return AddPartitions(common, *options); });
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
  create->add_option("--replica-assignment", create_options->replicas,
                     "Brokers of each partition, the preferred leader first: 1:2:3,2:3:1");
  AddValidateOnly(*create, create_options->mode);
  AddConnectionOptions(*create, common);
  create->footer("Example: quipu topic create payments -p 6 -c min.insync.replicas=2");
  OnCall(*create, common,
         [&common, create_options] { return CreateTopic(common, *create_options); });

  auto internal = std::make_shared<bool>(false);
  CLI::App* list = topic->add_subcommand("list", "List topics");
  list->add_flag("--internal", *internal, "Internal topics too");
  AddConnectionOptions(*list, common);
  OnCall(*list, common, [&common, internal] { return ListTopics(common, *internal); });

  AddTopicDescribe(*topic, common);
  AddAlter(*topic, common);
  AddAddPartitions(*topic, common);
  AddDeleteRecords(*topic, common);

  auto name = std::make_shared<std::string>();
  CLI::App* remove = topic->add_subcommand("delete", "Delete a topic and all its records");
  remove->add_option("name", *name)->required();
  AddConnectionOptions(*remove, common);
  OnCall(*remove, common, [&common, name] { return DeleteTopic(common, *name); });
}

}  // namespace quipu::cli
