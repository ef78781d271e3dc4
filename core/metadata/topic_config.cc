#include "core/metadata/topic_config.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/config.h"

namespace quipu {
namespace {

constexpr size_t kTopicNameBytesMax = 249;

struct ConfigSpec {
  absl::string_view key;
  // Numbers: an inclusive range. Words: `words` lists all that are allowed.
  int64_t low = 0;
  int64_t high = 0;
  absl::string_view words = {};
};

constexpr int64_t kAnyHigh = std::numeric_limits<int64_t>::max();

// Sorted by key. A batch header alone takes 61 bytes, hence the low end of max.message.bytes.
constexpr std::array<ConfigSpec, 6> kSpecs = {{
    {.key = kCompressionTypeKey, .words = "producer"},
    {.key = kMaxMessageBytesKey, .low = 100, .high = kMaxMessageBytesMax},
    {.key = kTimestampTypeKey, .words = "CreateTime, LogAppendTime"},
    {.key = kMinInsyncReplicasKey, .low = 1, .high = 32767},
    {.key = kRetentionBytesKey, .low = -1, .high = kAnyHigh},
    {.key = kRetentionMsKey, .low = -1, .high = kAnyHigh},
}};

const ConfigSpec* FindSpec(absl::string_view key) {
  for (const ConfigSpec& spec : kSpecs) {
    if (spec.key == key) return &spec;
  }
  return nullptr;
}

absl::string_view NearestKey(absl::string_view key) {
  absl::string_view best = kSpecs[0].key;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const ConfigSpec& spec : kSpecs) {
    const size_t distance = EditDistance(key, spec.key);
    if (distance < best_distance) {
      best = spec.key;
      best_distance = distance;
    }
  }
  return best;
}

bool IsOneOf(absl::string_view value, absl::string_view words) {
  while (!words.empty()) {
    const size_t comma = words.find(", ");
    if (words.substr(0, comma) == value) return true;
    if (comma == absl::string_view::npos) return false;
    words.remove_prefix(comma + 2);
  }
  return false;
}

// At most 64 characters of what came from outside, so that no message grows with its input.
std::string Shown(absl::string_view text) { return std::string(text.substr(0, 64)); }

int64_t NumberOr(const absl::btree_map<std::string, std::string>& configs, absl::string_view key,
                 int64_t fallback) {
  const auto it = configs.find(std::string(key));
  if (it == configs.end()) return fallback;
  int64_t number = 0;
  QUIPU_CHECK_MSG(absl::SimpleAtoi(it->second, &number), "a stored config is a number");
  return number;
}

}  // namespace

bool IsInternalTopic(absl::string_view name) { return name.substr(0, 2) == "__"; }

bool TopicNamesCollide(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char x = a[i] == '.' ? '_' : a[i];
    const char y = b[i] == '.' ? '_' : b[i];
    if (x != y) return false;
  }
  return true;
}

TopicRefusal CheckTopicName(absl::string_view name, bool internal) {
  const auto refuse = [](std::string message) {
    return TopicRefusal{ErrorCode::kInvalidTopic, std::move(message)};
  };
  if (name.empty()) return refuse("the topic name is empty");
  if (name == "." || name == "..") return refuse("a topic may not be named '.' or '..'");
  if (name.size() > kTopicNameBytesMax) {
    return refuse(absl::StrCat("the topic name has ", name.size(), " characters; at most ",
                               kTopicNameBytesMax, " are allowed"));
  }
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!allowed) {
      return refuse(
          absl::StrCat("character ", i + 1, " of the topic name is not one of a-z A-Z 0-9 . _ -"));
    }
  }
  if (IsInternalTopic(name) && !internal) {
    return refuse("names that begin with '__' are the cluster's own");
  }
  if (internal && !IsInternalTopic(name)) {
    return refuse("an internal topic's name begins with '__'");
  }
  return {};
}

TopicRefusal CheckTopicConfigKey(absl::string_view key) {
  if (FindSpec(key) != nullptr) return {};
  return {ErrorCode::kInvalidConfig, absl::StrCat("unknown topic config '", Shown(key),
                                                  "'; did you mean '", NearestKey(key), "'?")};
}

TopicRefusal CheckTopicConfig(absl::string_view key, absl::string_view value) {
  TopicRefusal known = CheckTopicConfigKey(key);
  if (!known.ok()) return known;
  const ConfigSpec* spec = FindSpec(key);
  const auto refuse = [&](const std::string& expected) {
    return TopicRefusal{ErrorCode::kInvalidConfig,
                        absl::StrCat(key, "=", Shown(value), ": expected ", expected)};
  };
  if (!spec->words.empty()) {
    if (IsOneOf(value, spec->words)) return {};
    return refuse(absl::StrCat("one of: ", spec->words));
  }
  int64_t number = 0;
  const bool digits_only =
      !value.empty() && value.find_first_not_of("-0123456789") == absl::string_view::npos;
  if (!digits_only || !absl::SimpleAtoi(value, &number)) return refuse("a whole number");
  if (number < spec->low || number > spec->high) {
    if (spec->high == kAnyHigh) return refuse(absl::StrCat("at least ", spec->low));
    return refuse(absl::StrCat("a number from ", spec->low, " to ", spec->high));
  }
  return {};
}

TopicConfigValues ReadTopicConfigs(const absl::btree_map<std::string, std::string>& configs) {
  TopicConfigValues out;
  out.retention_ms = NumberOr(configs, kRetentionMsKey, out.retention_ms);
  out.retention_bytes = NumberOr(configs, kRetentionBytesKey, out.retention_bytes);
  out.min_insync_replicas =
      static_cast<int32_t>(NumberOr(configs, kMinInsyncReplicasKey, out.min_insync_replicas));
  out.message_bytes_max = NumberOr(configs, kMaxMessageBytesKey, out.message_bytes_max);
  const auto it = configs.find(std::string(kTimestampTypeKey));
  out.log_append_time = it != configs.end() && it->second == "LogAppendTime";
  return out;
}

int32_t EffectiveMinIsr(const TopicImage& topic, const PartitionImage& partition) {
  const int32_t wanted = ReadTopicConfigs(topic.configs).min_insync_replicas;
  return std::max(1, std::min(wanted, static_cast<int32_t>(partition.replicas.size())));
}

std::vector<std::string> TopicConfigKeys() {
  std::vector<std::string> out;
  out.reserve(kSpecs.size());
  for (const ConfigSpec& spec : kSpecs) out.emplace_back(spec.key);
  return out;
}

}  // namespace quipu
