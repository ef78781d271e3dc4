#include "core/metadata/isr_change.h"

#include <vector>

#include "base/planted_bug.h"
#include "core/metadata/topic_config.h"

namespace quipu {
namespace {

bool IsSetOfReplicas(const PartitionImage& partition, const message::IsrChange& change) {
  std::vector<BrokerId> seen;
  for (const message::IsrMember& member : change.new_isr()) {
    const BrokerId id(member.broker_id());
    if (Contains(seen, id) || !Contains(partition.replicas, id)) return false;
    seen.push_back(id);
  }
  return Contains(seen, partition.leader);
}

// An added member must be the incarnation whose log the leader saw: another one may have come back
// with an empty disk while the request was on its way (R13).
// One that is being drained is taken only while it is needed for the minimum.
bool MayJoin(const MetadataImage& image, const LeaderSelector& selector,
             const PartitionImage& partition, const message::IsrMember& member) {
  const BrokerId id(member.broker_id());
  if (!selector.IsHealthy(id)) return false;
  if (!selector.IsWilling(id)) {
    const int32_t min_isr = EffectiveMinIsr(*image.FindTopic(partition.topic_id), partition);
    if (static_cast<int32_t>(partition.isr.size()) >= min_isr) return false;
  }
  if (IsPlanted(PlantedBug::kStaleBrokerEpochJoinsIsr)) return true;
  return image.FindBroker(id)->epoch == BrokerEpoch(member.broker_epoch());
}

}  // namespace

ErrorCode CheckIsrChange(const MetadataImage& image, const LeaderSelector& selector,
                         const PartitionImage* partition, BrokerId broker,
                         const message::IsrChange& change) {
  if (partition == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  const LeaderEpoch leader_epoch(change.leader_epoch());
  const PartitionEpoch partition_epoch(change.partition_epoch());
  if (IsPlanted(PlantedBug::kStaleIsrChangeAccepted)) {
    return IsSetOfReplicas(*partition, change) ? ErrorCode::kNone : ErrorCode::kInvalidRequest;
  }
  if (leader_epoch < partition->leader_epoch) return ErrorCode::kFencedLeaderEpoch;
  if (leader_epoch > partition->leader_epoch) return ErrorCode::kNotController;
  if (partition->leader != broker) return ErrorCode::kInvalidRequest;
  if (partition_epoch < partition->partition_epoch) return ErrorCode::kInvalidUpdateVersion;
  if (partition_epoch > partition->partition_epoch) return ErrorCode::kNotController;
  if (!IsSetOfReplicas(*partition, change)) return ErrorCode::kInvalidRequest;
  for (const message::IsrMember& member : change.new_isr()) {
    const bool added = !Contains(partition->isr, BrokerId(member.broker_id()));
    if (added && !MayJoin(image, selector, *partition, member))
      return ErrorCode::kIneligibleReplica;
  }
  return ErrorCode::kNone;
}

}  // namespace quipu
