#include "broker/kafka/config_entries.h"

#include <optional>
#include <utility>

#include "base/config/config_tables.h"

namespace quipu::kafka {
namespace {

using Config = DescribeConfigsResponse::Config;

// Kafka's ConfigSource.
constexpr int8_t kOfTopic = 1;
constexpr int8_t kOfBrokerSet = 2;
constexpr int8_t kOfClusterSet = 3;
constexpr int8_t kOfBrokerStart = 4;
constexpr int8_t kDefault = 5;

// Kafka's ConfigType.
constexpr int8_t kBooleanType = 1;
constexpr int8_t kStringType = 2;
constexpr int8_t kLongType = 5;
constexpr int8_t kDoubleType = 6;
constexpr int8_t kListType = 7;

int8_t TypeOf(const ConfigSpec& spec) {
  switch (spec.type) {
    case ConfigType::kBool:
      return kBooleanType;
    case ConfigType::kNumber:
      return kLongType;
    case ConfigType::kDecimal:
      return kDoubleType;
    case ConfigType::kList:
    case ConfigType::kReplicas:
    case ConfigType::kEndpoints:
      return kListType;
    case ConfigType::kChoice:
      // One that is a boolean in Kafka, of which one value alone is taken.
      return spec.words == "false" ? kBooleanType : kStringType;
    case ConfigType::kText:
    case ConfigType::kEndpoint:
    case ConfigType::kClusterId:
      return kStringType;
  }
  return kStringType;
}

int8_t SourceOf(message::DynamicConfig::Source source) {
  switch (source) {
    case message::DynamicConfig::DYNAMIC_BROKER_CONFIG:
      return kOfBrokerSet;
    case message::DynamicConfig::DYNAMIC_CLUSTER_CONFIG:
      return kOfClusterSet;
    case message::DynamicConfig::STATIC_CONFIG:
      return kOfBrokerStart;
    default:
      return kDefault;
  }
}

std::optional<std::string> Text(absl::string_view value) {
  return value.empty() ? std::nullopt : std::make_optional(std::string(value));
}

// `value` from `source`, over the default.
Config ToEntry(const ConfigSpec& spec, absl::string_view value, int8_t source) {
  Config entry{.name = std::string(spec.name),
               .value = IsListConfig(spec) ? std::string(value) : Text(value),
               .config_source = source,
               .config_type = TypeOf(spec),
               .documentation = std::string(spec.doc)};
  entry.synonyms.push_back({.name = entry.name, .value = entry.value, .source = source});
  if (source != kDefault && !spec.fallback.empty()) {
    entry.synonyms.push_back(
        {.name = entry.name, .value = Text(spec.fallback), .source = kDefault});
  }
  return entry;
}

Config ToEntry(const message::DynamicConfig& config) {
  const int8_t source = SourceOf(config.source());
  Config entry{.name = config.key(),
               .value = Text(config.value()),
               .config_source = source,
               .config_type = config.type() == "boolean" ? kBooleanType : kLongType,
               .documentation = config.documentation()};
  entry.synonyms.push_back({.name = entry.name, .value = entry.value, .source = source});
  if (source != kDefault) {
    entry.synonyms.push_back(
        {.name = entry.name, .value = Text(config.default_value()), .source = kDefault});
  }
  return entry;
}

}  // namespace

ConfigEntries TopicConfigEntries(const absl::btree_map<std::string, std::string>& own) {
  ConfigEntries entries;
  for (const ConfigSpec& spec : TopicConfigTable()) {
    const auto found = own.find(std::string(spec.name));
    entries.push_back(found != own.end() ? ToEntry(spec, found->second, kOfTopic)
                                         : ToEntry(spec, spec.fallback, kDefault));
  }
  return entries;
}

ConfigEntries BrokerConfigEntries(const std::vector<ConfigValue>& settings,
                                  const message::DescribeConfigsResult& dynamic) {
  absl::btree_map<std::string, Config> entries;
  for (const ConfigValue& setting : settings) {
    const bool given = setting.source != ConfigSource::kDefault;
    Config entry = ToEntry(*setting.spec, setting.value, given ? kOfBrokerStart : kDefault);
    entry.read_only = true;
    entries.emplace(entry.name, std::move(entry));
  }
  for (const message::DynamicConfig& config : dynamic.configs()) {
    entries.insert_or_assign(config.key(), ToEntry(config));
  }
  ConfigEntries out;
  for (auto& [name, entry] : entries) out.push_back(std::move(entry));
  return out;
}

ConfigEntries ClusterConfigEntries(const message::DescribeConfigsResult& dynamic) {
  ConfigEntries entries;
  for (const message::DynamicConfig& config : dynamic.configs()) {
    if (config.source() != message::DynamicConfig::DYNAMIC_CLUSTER_CONFIG) continue;
    entries.push_back(ToEntry(config));
  }
  return entries;
}

}  // namespace quipu::kafka
