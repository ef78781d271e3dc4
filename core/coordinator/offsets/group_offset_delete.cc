// GroupCoordinatorCore: committed offsets are forgotten on request.
#include <utility>

#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"

namespace quipu {

GroupResult<message::OffsetDeleteResponse> GroupCoordinatorCore::OffsetDelete(
    const message::OffsetDeleteRequest& request, const GroupTopicView& topics) const {
  GroupResult<message::OffsetDeleteResponse> result;
  ErrorCode error = ValidateOffsetDelete(request, options_);
  const GroupState* group = FindGroup(request.group_id());
  const ClassicGroup* classic = FindClassic(request.group_id());
  if (error == ErrorCode::kNone && classic != nullptr &&
      classic->protocol_type != kConsumerProtocolType) {
    error = ErrorCode::kNonEmptyGroup;
  } else if (error == ErrorCode::kNone && group == nullptr) {
    error = ErrorCode::kGroupIdNotFound;
  }
  result.response.set_error_code(static_cast<int32_t>(error));
  if (error != ErrorCode::kNone) {
    result.response.set_error_message(std::string(ErrorDescription(error)));
    return result;
  }
  const auto subscribed = SubscribedTopics(request.group_id(), *group, topics);
  // Each partition once, whatever the request repeats.
  for (const TopicPartition& partition : FromProto(request.partitions())) {
    const bool in_use = !subscribed || subscribed->contains(partition.topic_id);
    if (!in_use && group->offsets.contains(partition)) {
      result.records.push_back(OffsetRemovedRecord(request.group_id(), partition));
    }
    message::OffsetDeleteResponse::Partition* out = result.response.add_partitions();
    out->set_topic_id(partition.topic_id.ToBytes());
    out->set_partition(partition.partition.value());
    out->set_error_code(
        static_cast<int32_t>(in_use ? ErrorCode::kGroupSubscribedToTopic : ErrorCode::kNone));
  }
  // Nothing is left of the group: one record says it all.
  const bool all = !result.records.empty() && result.records.size() == group->offsets.size();
  if (all && group->membership.members.empty() && classic == nullptr) {
    result.records.assign(1, GroupRemovedRecord(request.group_id()));
  }
  return result;
}

}  // namespace quipu
