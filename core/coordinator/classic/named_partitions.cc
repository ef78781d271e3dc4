#include "core/coordinator/classic/named_partitions.h"

#include <algorithm>

namespace quipu {

TopicPartitions ToIds(const NamedPartitions& named, const GroupTopicView& topics) {
  TopicPartitions partitions;
  for (const auto& [name, indices] : named) {
    const auto topic = topics.FindByName(name);
    if (!topic) continue;
    for (const int32_t index : indices) {
      if (index < 0 || index >= topic->partition_count) continue;
      partitions.push_back({topic->id, PartitionIndex(index)});
    }
  }
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  return partitions;
}

NamedPartitions ToNames(const TopicPartitions& partitions, const GroupTopicView& topics) {
  NamedPartitions named;
  const TopicPartition* previous = nullptr;
  for (const TopicPartition& partition : partitions) {
    if (previous == nullptr || previous->topic_id != partition.topic_id) {
      const auto topic = topics.FindById(partition.topic_id);
      if (!topic) continue;
      named.emplace_back(std::string(topic->name), std::vector<int32_t>());
    }
    named.back().second.push_back(partition.partition.value());
    previous = &partition;
  }
  return named;
}

}  // namespace quipu
