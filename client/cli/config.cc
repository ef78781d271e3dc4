// `quipu config`: the settings that can be changed while the cluster runs, and those that a process
// has read at its start.
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/doctor/report.h"
#include "client/cli/support/verb_json.h"

namespace quipu::cli {
namespace {

struct ConfigOptions {
  int32_t broker = -1;      // -1: of the cluster
  int32_t controller = -1;  // -1: of none
  std::vector<std::string> set;
  std::vector<std::string> remove;
};

std::string SourceText(message::DynamicConfig::Source source) {
  const std::string name = message::DynamicConfig::Source_Name(source);
  return name.empty() ? absl::StrCat(static_cast<int>(source)) : name;
}

// Without a broker, and not set for all: each broker has its own, and value and source are null.
Json ToJson(const message::DynamicConfig& config) {
  const bool told = !config.value().empty();
  return Json{{"key", config.key()},
              {"value", told ? Json(config.value()) : Json()},
              {"type", config.type()},
              {"default", config.default_value()},
              {"source", told ? Json(SourceText(config.source())) : Json()},
              {"effect", config.effect()},
              {"expected", config.expected()},
              {"per_broker", config.per_broker()},
              {"documentation", config.documentation()}};
}

// The process that a person names by --broker or --controller.
absl::StatusOr<message::DescribeNodeResponse> DescribeNamedNode(Admin& admin,
                                                                const ConfigOptions& options) {
  const bool of_broker = options.broker >= 0;
  const int32_t id = of_broker ? options.broker : options.controller;
  const std::string who = absl::StrCat(of_broker ? "broker " : "controller ", id);
  std::string address;
  if (of_broker) {
    QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, admin.DescribeCluster());
    for (const message::BrokerInfo& broker : cluster.brokers()) {
      if (broker.broker_id() != id) continue;
      address = AddressOf(broker.endpoint());
    }
  } else {
    QUIPU_ASSIGN_OR_RETURN(const message::DescribeQuorumResult quorum, admin.DescribeQuorum());
    for (const auto& voter : quorum.voters()) {
      if (voter.id() == id) address = voter.endpoint();
    }
  }
  if (address.empty()) {
    return ToStatus(of_broker ? ErrorCode::kBrokerIdNotRegistered : ErrorCode::kVoterNotFound,
                    absl::StrCat("there is no ", who));
  }
  QUIPU_ASSIGN_OR_RETURN(message::DescribeNodeResponse node, admin.DescribeNode(address));
  if (node.node_id() != id || node.role() != (of_broker ? "broker" : "controller")) {
    return ToStatus(ErrorCode::kInvalidRequest,
                    absl::StrCat("at ", address, ", where ", who, " is to be, ", node.role(), " ",
                                 node.node_id(), " listens; see `quipu doctor`"));
  }
  return node;
}

void PrintConfigs(const Json& configs, bool of_node) {
  const auto text = [](const Json& value, const char* absent) {
    return value.is_null() ? std::string(absent) : value.get<std::string>();
  };
  std::vector<std::vector<std::string>> rows;
  for (const Json& config : configs) {
    rows.push_back({config["key"], text(config["value"], of_node ? "-" : "(each broker's)"),
                    config["type"], config["default"], text(config["source"], "-")});
    if (of_node) {
      rows.back().push_back(config["origin"]);
      rows.back().emplace_back(config["needs_restart"].get<bool>() ? "yes" : "no");
    } else {
      rows.back().push_back(config["effect"]);
    }
  }
  std::vector<std::string> header = {"KEY", "VALUE", "TYPE", "DEFAULT", "SOURCE"};
  if (of_node) {
    header.insert(header.end(), {"FROM", "RESTART"});
  } else {
    header.emplace_back("EFFECT");
  }
  PrintTable(header, rows);
}

absl::Status DescribeConfigs(const Common& common, const ConfigOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  const bool of_node = options.broker >= 0 || options.controller >= 0;
  Json configs;
  if (of_node) {
    QUIPU_ASSIGN_OR_RETURN(const auto node, DescribeNamedNode(*admin, options));
    QUIPU_ASSIGN_OR_RETURN(const auto at_run_time,
                           admin->DescribeConfigs(BrokerId(options.broker)));
    configs = NodeConfigsJson(node, at_run_time);
  } else {
    QUIPU_ASSIGN_OR_RETURN(configs, ClusterConfigsJson(*admin));
  }
  if (common.json()) {
    PrintJson(configs);
  } else {
    PrintConfigs(configs, of_node);
  }
  return absl::OkStatus();
}

absl::Status SetConfigs(const Common& common, const ConfigOptions& options) {
  if (options.set.empty() && options.remove.empty()) {
    return WrongArguments("expected key=value or --delete key");
  }
  QUIPU_ASSIGN_OR_RETURN(const auto set, KeyValues(options.set));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(admin->AlterConfigs(BrokerId(options.broker), set, options.remove));
  const std::string where =
      options.broker < 0 ? "the cluster" : absl::StrCat("broker ", options.broker);
  if (common.json()) {
    Json json{{"broker", options.broker < 0 ? Json() : Json(options.broker)},
              {"set", Json::object()},
              {"deleted", options.remove}};
    for (const auto& [key, value] : set) json["set"][key] = value;
    PrintJson(json);
    return absl::OkStatus();
  }
  for (const auto& [key, value] : set) {
    std::printf("%s: %s=%s\n", where.c_str(), key.c_str(), value.c_str());
  }
  for (const std::string& key : options.remove) {
    std::printf("%s: %s is not set any more\n", where.c_str(), key.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

// Over what the process has read at its start comes what is and can be set at run time.
Json NodeConfigsJson(const message::DescribeNodeResponse& node,
                     const std::vector<message::DynamicConfig>& at_run_time) {
  Json all = StaticConfigsJson(node);
  for (const message::DynamicConfig& set : at_run_time) {
    const bool in_force = set.source() == message::DynamicConfig::DYNAMIC_CLUSTER_CONFIG ||
                          set.source() == message::DynamicConfig::DYNAMIC_BROKER_CONFIG;
    for (Json& config : all) {
      if (config["key"] != set.key()) continue;
      config["effect"] = set.effect();
      config["per_broker"] = set.per_broker();
      if (!in_force) continue;
      config["value"] = set.value();
      config["source"] = SourceText(set.source());
      config["origin"] = "quipu config set";
    }
  }
  return all;
}

absl::StatusOr<Json> ClusterConfigsJson(Admin& admin) {
  QUIPU_ASSIGN_OR_RETURN(const auto at_run_time, admin.DescribeConfigs());
  Json configs = Json::array();
  for (const message::DynamicConfig& config : at_run_time) configs.push_back(ToJson(config));
  return configs;
}

void AddConfigCommands(CLI::App& app, Common& common) {
  CLI::App* config = app.add_subcommand("config", "Settings: of the cluster and of its processes");
  config->require_subcommand(1);

  auto options = std::make_shared<ConfigOptions>();
  CLI::App* describe = config->add_subcommand(
      "describe", "The settings that can be changed at run time, or all of one process");
  CLI::Option* const broker =
      describe
          ->add_option("--broker", options->broker,
                       "All of this broker's, as they are in force, with where each comes from")
          ->check(CLI::NonNegativeNumber);
  describe->add_option("--controller", options->controller, "All of this controller's")
      ->check(CLI::NonNegativeNumber)
      ->excludes(broker);
  AddConnectionOptions(*describe, common);
  describe->footer(
      "Examples:\n"
      "  quipu config describe\n"
      "  quipu config describe --broker 2 -o json\n"
      "  quipu config describe --controller 1");
  OnCall(*describe, common, [&common, options] { return DescribeConfigs(common, *options); });

  auto changes = std::make_shared<ConfigOptions>();
  CLI::App* set = config->add_subcommand("set", "Set or delete settings at run time");
  set->add_option("settings", changes->set, "key=value, any number")->check(KeyValue());
  set->add_option("--delete", changes->remove, "key: back to what is under it")
      ->check(NotEmpty())
      ->allow_extra_args(false);
  set->add_option("--broker", changes->broker, "For this broker alone")
      ->check(CLI::NonNegativeNumber);
  AddConnectionOptions(*set, common);
  set->footer(
      "Any other setting is read at the start of a process, from its configuration file.\n"
      "Examples:\n"
      "  quipu config set num.partitions=12\n"
      "  quipu config set --broker 2 quipu.disk.free.bytes.min=2147483648\n"
      "  quipu config set --delete num.partitions");
  OnCall(*set, common, [&common, changes] { return SetConfigs(common, *changes); });
}

}  // namespace quipu::cli
