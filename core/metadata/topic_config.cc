#include "core/metadata/topic_config.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/config/config_tables.h"

namespace quipu {
namespace {

constexpr size_t kTopicNameBytesMax = 249;
// Text and lists are bounded by this alone.
constexpr size_t kTopicConfigBytesMax = 4096;

// That of Quipu's groups, and those that Kafka has beside it: clients know their names.
constexpr absl::string_view kOwnTopics[] = {"__consumer_offsets", "__transaction_state",
                                            "__share_group_state", "__cluster_metadata"};

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

TopicRefusal TooLong(absl::string_view key, absl::string_view value) {
  return {ErrorCode::kInvalidConfig, absl::StrCat(key, " has ", value.size(), " bytes; at most ",
                                                  kTopicConfigBytesMax, " are taken")};
}

}  // namespace

bool IsInternalTopic(absl::string_view name) {
  return std::ranges::find(kOwnTopics, name) != std::end(kOwnTopics);
}

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
    return refuse("it is the name of one of the cluster's own topics");
  }
  if (internal && !IsInternalTopic(name)) {
    return refuse("it is not the name of one of the cluster's own topics");
  }
  return {};
}

TopicRefusal CheckTopicConfigKey(absl::string_view key) {
  if (FindConfig(TopicConfigTable(), key) != nullptr) return {};
  return {ErrorCode::kInvalidConfig,
          absl::StrCat("unknown topic config '", Shown(key), "'; did you mean '",
                       NearestConfig(TopicConfigTable(), key), "'?")};
}

TopicRefusal CheckTopicConfig(absl::string_view key, absl::string_view value) {
  TopicRefusal known = CheckTopicConfigKey(key);
  if (!known.ok()) return known;
  const ConfigSpec& spec = *FindConfig(TopicConfigTable(), key);
  if (value.size() > kTopicConfigBytesMax) return TooLong(key, value);
  if (IsValidConfig(spec, value)) return {};
  // Where there is no other value, why.
  const bool only_one = spec.effect == ConfigEffect::kNone && spec.words == spec.fallback;
  return {ErrorCode::kInvalidConfig,
          absl::StrCat(key, "=", Shown(value), ": expected ", ExpectedConfig(spec),
                       only_one && !spec.words.empty() ? absl::StrCat(" (", spec.doc, ")") : "")};
}

TopicRefusal ChangeListConfig(const absl::btree_map<std::string, std::string>& own,
                              absl::string_view key, absl::string_view items, bool append,
                              std::string& changed) {
  TopicRefusal known = CheckTopicConfigKey(key);
  if (!known.ok()) return known;
  const ConfigSpec& spec = *FindConfig(TopicConfigTable(), key);
  if (!IsListConfig(spec)) {
    return {ErrorCode::kInvalidConfig,
            absl::StrCat(key, " is no list: it can be set or deleted alone")};
  }
  if (items.size() > kTopicConfigBytesMax) return TooLong(key, items);
  const auto found_own = own.find(std::string(key));
  const absl::string_view current = found_own == own.end() ? spec.fallback : found_own->second;
  std::vector<absl::string_view> list = absl::StrSplit(current, ',', absl::SkipEmpty());
  for (absl::string_view& item : list) item = absl::StripAsciiWhitespace(item);
  for (const absl::string_view part : absl::StrSplit(items, ',')) {
    const absl::string_view item = absl::StripAsciiWhitespace(part);
    const auto found = std::ranges::find(list, item);
    if (append && found == list.end()) list.push_back(item);
    if (!append && found != list.end()) list.erase(found);
  }
  changed = absl::StrJoin(list, ",");
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
  const auto codec = configs.find(std::string(kCompressionTypeKey));
  if (codec != configs.end()) out.compression_type = codec->second;
  return out;
}

int32_t EffectiveMinIsr(const TopicImage& topic, const PartitionImage& partition) {
  const int32_t wanted = ReadTopicConfigs(topic.configs).min_insync_replicas;
  return std::max(1, std::min(wanted, static_cast<int32_t>(partition.replicas.size())));
}

}  // namespace quipu
