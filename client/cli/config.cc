// `quipu config`: the settings that can be changed while the cluster runs.
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"

namespace quipu::cli {
namespace {

struct ConfigOptions {
  int32_t broker = -1;
  std::vector<std::string> set;
  std::vector<std::string> remove;
};

std::string SourceText(message::DynamicConfig::Source source) {
  const std::string name = message::DynamicConfig::Source_Name(source);
  return name.empty() ? absl::StrCat(static_cast<int>(source)) : name;
}

absl::Status DescribeConfigs(const Common& common, const ConfigOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const auto configs, admin->DescribeConfigs(BrokerId(options.broker)));
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::DynamicConfig& config : configs) {
    // Without a broker, and not set for all: each broker has its own.
    const bool told = !config.value().empty();
    json.push_back(Json{{"key", config.key()},
                        {"value", told ? Json(config.value()) : Json()},
                        {"type", config.type()},
                        {"default", config.default_value()},
                        {"source", told ? Json(SourceText(config.source())) : Json()},
                        {"effect", config.effect()},
                        {"expected", config.expected()},
                        {"per_broker", config.per_broker()},
                        {"documentation", config.documentation()}});
    rows.push_back({config.key(), told ? config.value() : "(each broker's)", config.type(),
                    config.default_value(), told ? SourceText(config.source()) : "-",
                    config.effect()});
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintTable({"KEY", "VALUE", "TYPE", "DEFAULT", "SOURCE", "EFFECT"}, rows);
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

void AddConfigCommands(CLI::App& app, Common& common) {
  CLI::App* config = app.add_subcommand("config", "Settings that are changed at run time");
  config->require_subcommand(1);

  auto options = std::make_shared<ConfigOptions>();
  CLI::App* describe = config->add_subcommand(
      "describe", "Value, type, default, source and effect of each such setting");
  describe->add_option("--broker", options->broker, "As this broker has them in force")
      ->check(CLI::NonNegativeNumber);
  AddConnectionOptions(*describe, common);
  describe->footer(
      "Examples:\n"
      "  quipu config describe\n"
      "  quipu config describe --broker 2 -o json");
  OnCall(*describe, common, [&common, options] { return DescribeConfigs(common, *options); });

  auto changes = std::make_shared<ConfigOptions>();
  CLI::App* set = config->add_subcommand("set", "Set or delete such settings");
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
