// The settings that can be changed while the cluster runs: what is allowed, and what is in force.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "core/metadata/metadata_image.h"
#include "core/metadata/topic_config.h"
#include "proto/message/admin.pb.h"

namespace quipu {

inline constexpr absl::string_view kNumPartitionsKey = "num.partitions";
inline constexpr absl::string_view kDefaultReplicationFactorKey = "default.replication.factor";
inline constexpr absl::string_view kAutoLeaderRebalanceKey = "auto.leader.rebalance.enable";
inline constexpr absl::string_view kDiskFreeBytesMinKey = "quipu.disk.free.bytes.min";
inline constexpr absl::string_view kInFlightBytesMaxKey = "quipu.produce.in.flight.bytes.max";

// One such setting. Booleans are 0 and 1 inside, "false" and "true" outside.
struct DynamicConfigSpec {
  absl::string_view key;
  bool per_broker = false;  // a broker's: may be set for one broker or for all
  bool boolean = false;
  int64_t low = 0;  // inclusive, as `high`
  int64_t high = 0;
  int64_t fallback = 0;  // the default of a process whose configuration does not say
  absl::string_view effect;
  absl::string_view documentation;
};

// All of them, sorted by key.
const std::vector<DynamicConfigSpec>& DynamicConfigSpecs();
// nullptr: there is none of that name.
const DynamicConfigSpec* FindDynamicConfigSpec(absl::string_view key);

// Whether `key` may be set to `value`, for one broker (`for_broker`) or for the whole cluster.
// kInvalidConfig with what was expected; an unknown key is told from one that is read at the start.
TopicRefusal CheckDynamicConfig(absl::string_view key, absl::string_view value, bool for_broker);
// Only the key.
TopicRefusal CheckDynamicConfigKey(absl::string_view key, bool for_broker);

// The value in force for `broker` (kNoBroker: the controllers): what is set in `image`, else
// `own`, the process's own configuration.
int64_t DynamicConfigValue(const MetadataImage& image, BrokerId broker, absl::string_view key,
                           int64_t own);

// A description of `spec` as of `image` in a process whose own value is `own`.
message::DynamicConfig DescribeDynamicConfig(const DynamicConfigSpec& spec,
                                             const MetadataImage& image, BrokerId broker,
                                             int64_t own);

}  // namespace quipu
