#include "core/metadata/dynamic_config.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/config/config_spec.h"

namespace quipu {
namespace {

constexpr absl::string_view kAtOnce = "dynamic: at once";
constexpr absl::string_view kNewTopics = "dynamic: topics created from now on";

std::string ValueText(const DynamicConfigSpec& spec, int64_t value) {
  if (spec.boolean) return value != 0 ? "true" : "false";
  return absl::StrCat(value);
}

// False when `text` is no value of this type.
bool ParseValue(const DynamicConfigSpec& spec, absl::string_view text, int64_t& value) {
  if (spec.boolean) {
    value = text == "true" ? 1 : 0;
    return text == "true" || text == "false";
  }
  const bool digits_only =
      !text.empty() && text.find_first_not_of("-0123456789") == absl::string_view::npos;
  return digits_only && absl::SimpleAtoi(text, &value);
}

std::string Expected(const DynamicConfigSpec& spec) {
  if (spec.boolean) return "true or false";
  return absl::StrCat("a whole number from ", spec.low, " to ", spec.high);
}

// At most 64 characters of what came from outside.
std::string ShownText(absl::string_view text) { return std::string(text.substr(0, 64)); }

}  // namespace

const std::vector<DynamicConfigSpec>& DynamicConfigSpecs() {
  static const auto& specs = *new std::vector<DynamicConfigSpec>{
      {.key = kAutoLeaderRebalanceKey,
       .boolean = true,
       .low = 0,
       .high = 1,
       .fallback = 1,
       .effect = kAtOnce,
       .documentation = "leaderships go back to preferred replicas by themselves"},
      {.key = kDefaultReplicationFactorKey,
       .low = 1,
       .high = 15,
       .fallback = 3,
       .effect = kNewTopics,
       .documentation = "replicas of a topic that does not say"},
      {.key = kMinInsyncReplicasKey,
       .low = 1,
       .high = 15,
       .fallback = 2,
       .effect = kNewTopics,
       .documentation = "replicas that must hold a record before it is acknowledged, where the "
                        "topic does not say"},
      {.key = kNumPartitionsKey,
       .low = 1,
       .high = 10000,
       .fallback = 6,
       .effect = kNewTopics,
       .documentation = "partitions of a topic that does not say"},
      {.key = kDiskFreeBytesMinKey,
       .per_broker = true,
       .low = 0,
       .high = int64_t{1} << 50,
       .fallback = int64_t{1} << 30,
       .effect = kAtOnce,
       .documentation = "with less free space produce requests are refused"},
      {.key = kInFlightBytesMaxKey,
       .per_broker = true,
       .low = int64_t{1} << 20,
       .high = int64_t{16} << 30,
       .fallback = int64_t{64} << 20,
       .effect = kAtOnce,
       .documentation = "produced and not yet answered; more is refused"},
  };
  return specs;
}

const DynamicConfigSpec* FindDynamicConfigSpec(absl::string_view key) {
  for (const DynamicConfigSpec& spec : DynamicConfigSpecs()) {
    if (spec.key == key) return &spec;
  }
  return nullptr;
}

TopicRefusal CheckDynamicConfigKey(absl::string_view key, bool for_broker) {
  const DynamicConfigSpec* spec = FindDynamicConfigSpec(key);
  if (spec == nullptr) {
    absl::string_view nearest = DynamicConfigSpecs().front().key;
    for (const DynamicConfigSpec& other : DynamicConfigSpecs()) {
      if (EditDistance(key.substr(0, 64), other.key) < EditDistance(key.substr(0, 64), nearest)) {
        nearest = other.key;
      }
    }
    return {ErrorCode::kInvalidConfig,
            absl::StrCat("'", ShownText(key),
                         "' cannot be changed while the cluster runs: every other "
                         "setting than those of `quipu config describe` is read at the start of a "
                         "process, from its configuration file. The nearest of them is '",
                         nearest, "'")};
  }
  if (for_broker && !spec->per_broker) {
    return {ErrorCode::kInvalidConfig,
            absl::StrCat(key, " is the whole cluster's: leave the broker out")};
  }
  return {};
}

TopicRefusal CheckDynamicConfig(absl::string_view key, absl::string_view value, bool for_broker) {
  TopicRefusal known = CheckDynamicConfigKey(key, for_broker);
  if (!known.ok()) return known;
  const DynamicConfigSpec& spec = *FindDynamicConfigSpec(key);
  int64_t number = 0;
  if (ParseValue(spec, value, number) && number >= spec.low && number <= spec.high) return {};
  return {ErrorCode::kInvalidConfig,
          absl::StrCat(key, "=", ShownText(value), ": expected ", Expected(spec))};
}

int64_t DynamicConfigValue(const MetadataImage& image, BrokerId broker, absl::string_view key,
                           int64_t own) {
  const DynamicConfigSpec* spec = FindDynamicConfigSpec(key);
  QUIPU_CHECK(spec != nullptr);
  const std::string* text = image.FindDynamicConfig(broker, key);
  if (text == nullptr) return own;
  int64_t value = 0;
  QUIPU_CHECK_MSG(ParseValue(*spec, *text, value), "a stored setting is of its type");
  return value;
}

message::DynamicConfig DescribeDynamicConfig(const DynamicConfigSpec& spec,
                                             const MetadataImage& image, BrokerId broker,
                                             int64_t own) {
  message::DynamicConfig out;
  out.set_key(std::string(spec.key));
  out.set_type(spec.boolean ? "boolean" : "int");
  out.set_default_value(ValueText(spec, spec.fallback));
  out.set_effect(std::string(spec.effect));
  out.set_documentation(std::string(spec.documentation));
  out.set_expected(Expected(spec));
  out.set_per_broker(spec.per_broker);
  const auto& configs = image.dynamic_configs();
  const auto at_broker = configs.find(broker);
  const bool of_broker = broker != kNoBroker && at_broker != configs.end() &&
                         at_broker->second.contains(std::string(spec.key));
  if (of_broker) {
    out.set_source(message::DynamicConfig::DYNAMIC_BROKER_CONFIG);
  } else if (image.FindDynamicConfig(kNoBroker, spec.key) != nullptr) {
    out.set_source(message::DynamicConfig::DYNAMIC_CLUSTER_CONFIG);
  } else {
    out.set_source(own == spec.fallback ? message::DynamicConfig::DEFAULT_CONFIG
                                        : message::DynamicConfig::STATIC_CONFIG);
    // What a broker's own configuration says is known to that broker only.
    if (spec.per_broker && broker == kNoBroker) return out;
  }
  out.set_value(ValueText(spec, DynamicConfigValue(image, broker, spec.key, own)));
  return out;
}

}  // namespace quipu
