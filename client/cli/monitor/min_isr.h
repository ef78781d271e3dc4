// How many in-sync replicas a partition needs for its records to be acknowledged.
#pragma once

#include <algorithm>

#include "absl/strings/numbers.h"
#include "proto/message/client.pb.h"

namespace quipu::cli {

inline constexpr char kMinIsrKey[] = "min.insync.replicas";

// min(min.insync.replicas, replication factor); a topic always carries the former.
inline int EffectiveMinIsr(const message::TopicInfo& topic,
                           const message::PartitionInfo& partition) {
  int minimum = 1;
  for (const message::ConfigEntry& entry : topic.configs()) {
    if (entry.key() == kMinIsrKey && !absl::SimpleAtoi(entry.value(), &minimum)) minimum = 1;
  }
  return std::min(minimum, partition.replicas_size());
}

}  // namespace quipu::cli
