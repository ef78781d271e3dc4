#include "core/metadata/metadata_invariants.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "core/metadata/leader_selector.h"
#include "core/metadata/topic_config.h"

namespace quipu {
namespace {

bool IsSetWithin(const std::vector<BrokerId>& members, const std::vector<BrokerId>& replicas) {
  std::vector<BrokerId> sorted = members;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return false;
  return std::all_of(members.begin(), members.end(),
                     [&](BrokerId member) { return Contains(replicas, member); });
}

void CheckPartition(const MetadataImage& image, const LeaderSelector& selector,
                    const PartitionImage& partition) {
  const TopicImage* topic = image.FindTopic(partition.topic_id);
  const std::string where = absl::StrCat("partition uid ", partition.uid.value());
  QUIPU_CHECK_MSG(topic != nullptr, where);
  QUIPU_CHECK_MSG(partition.uid < image.next_partition_uid(), where);
  QUIPU_CHECK_MSG(!partition.replicas.empty(), where);
  QUIPU_CHECK_MSG(IsSetWithin(partition.replicas, partition.replicas), where);
  QUIPU_INVARIANT_MSG("I31", IsSetWithin(partition.isr, partition.replicas), where);
  QUIPU_INVARIANT_MSG("I31", IsSetWithin(partition.elr, partition.replicas), where);
  QUIPU_INVARIANT_MSG("I31", partition.unclean_epoch <= partition.leader_epoch, where);
  for (const BrokerId member : partition.isr) {
    QUIPU_INVARIANT_MSG("I31", selector.IsActive(member), where);
    QUIPU_INVARIANT_MSG("I31", !Contains(partition.elr, member), where);
  }
  const bool has_leader = partition.leader != kNoBroker;
  QUIPU_INVARIANT_MSG("I31", has_leader == !partition.isr.empty(), where);
  if (has_leader) {
    QUIPU_INVARIANT_MSG("I31", Contains(partition.isr, partition.leader), where);
  } else {
    const LeaderChoice choice = selector.Select(partition, partition.isr, partition.elr);
    QUIPU_INVARIANT_MSG("I31", choice.leader == kNoBroker, where);
  }
  const bool full =
      static_cast<int32_t>(partition.isr.size()) >= EffectiveMinIsr(*topic, partition);
  QUIPU_INVARIANT_MSG("I31", !full || partition.elr.empty(), where);
}

}  // namespace

void CheckMetadataInvariants(const MetadataImage& image) {
  const LeaderSelector selector(image);
  for (const auto& [id, broker] : image.brokers()) {
    QUIPU_CHECK(broker.id == id);
    QUIPU_CHECK(broker.epoch.value() <= static_cast<int64_t>(image.index().value()));
    QUIPU_CHECK(broker.heard_epoch <= broker.epoch);
  }
  for (const auto& [uid, partition] : image.partitions())
    CheckPartition(image, selector, partition);
  size_t partitions = 0;
  for (const auto& [id, topic] : image.topics()) {
    QUIPU_CHECK(image.FindTopicByName(topic.name) == &topic);
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const PartitionImage* partition = image.FindPartition(topic.partitions[i]);
      QUIPU_CHECK(partition != nullptr && partition->topic_id == id);
      QUIPU_CHECK(partition->index == PartitionIndex(static_cast<int32_t>(i)));
    }
    partitions += topic.partitions.size();
  }
  QUIPU_CHECK(partitions == image.partitions().size());
}

}  // namespace quipu
