// Topic names and topic configs: what is allowed, and what a topic's configs mean. The keys with
// their types, ranges and defaults: base/config/topic_keys.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/error_code.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

inline constexpr absl::string_view kRetentionMsKey = "retention.ms";
inline constexpr absl::string_view kRetentionBytesKey = "retention.bytes";
inline constexpr absl::string_view kMinInsyncReplicasKey = "min.insync.replicas";
inline constexpr absl::string_view kMaxMessageBytesKey = "max.message.bytes";
inline constexpr absl::string_view kTimestampTypeKey = "message.timestamp.type";
inline constexpr absl::string_view kCompressionTypeKey = "compression.type";

inline constexpr int64_t kMaxMessageBytesDefault = 1048588;
inline constexpr int64_t kMaxMessageBytesMax = int64_t{8} << 20;

// A refusal with one sentence for a person. kNone: allowed.
struct TopicRefusal {
  ErrorCode error = ErrorCode::kNone;
  std::string message;
  [[nodiscard]] bool ok() const { return error == ErrorCode::kNone; }
};

// Kafka's rules: 1 to 249 characters of [a-zA-Z0-9._-], neither "." nor "..". The names of
// IsInternalTopic need `internal`, and `internal` needs them.
// Error: kInvalidTopic.
TopicRefusal CheckTopicName(absl::string_view name, bool internal);

// Whether two different names would be one in metrics, where '.' and '_' are the same (Kafka).
bool TopicNamesCollide(absl::string_view a, absl::string_view b);

// Whether the topic is one of the cluster's own: __consumer_offsets, or one of those that Kafka's
// clients take for such (__transaction_state, __share_group_state, __cluster_metadata). Other names
// that begin with "__" are anybody's.
bool IsInternalTopic(absl::string_view name);

// Type and range of one config. Error: kInvalidConfig; an unknown key names the nearest known one.
TopicRefusal CheckTopicConfig(absl::string_view key, absl::string_view value);
// What comes of the list that a topic with the configs `own` has for `key` (its own, or the
// default) when those of `items`, joined by commas, that it lacks are appended, or when they are
// taken away. `changed` is not checked: that is CheckTopicConfig's. Error: kInvalidConfig when the
// key is unknown or no list, or `items` are too long.
TopicRefusal ChangeListConfig(const absl::btree_map<std::string, std::string>& own,
                              absl::string_view key, absl::string_view items, bool append,
                              std::string& changed);
// Only that the key exists.
TopicRefusal CheckTopicConfigKey(absl::string_view key);

// A topic's configs with defaults filled in.
struct TopicConfigValues {
  int64_t retention_ms = -1;     // -1: for ever
  int64_t retention_bytes = -1;  // -1: no limit
  int32_t min_insync_replicas = 2;
  int64_t message_bytes_max = kMaxMessageBytesDefault;
  bool log_append_time = false;
  // producer: batches stay as they were sent; uncompressed; or the codec that they are stored with.
  std::string compression_type = "producer";
};

// `configs` hold only checked values. A topic always carries its own min.insync.replicas, written
// by the controller at creation, so that brokers and controllers can never disagree about it.
TopicConfigValues ReadTopicConfigs(const absl::btree_map<std::string, std::string>& configs);

// PR2: min(min.insync.replicas, replication factor), at least 1.
int32_t EffectiveMinIsr(const TopicImage& topic, const PartitionImage& partition);

}  // namespace quipu
