// GroupCoordinatorCore: offsets that nobody needs any more are forgotten after a while, and the
// groups with them (KIP-211). Times are those in the records, so that they outlive the coordinator.
#include <algorithm>
#include <chrono>
#include <utility>

#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/group_coordinator_core.h"

namespace quipu {
namespace {

constexpr size_t kOffsetsPerLookMax = 20000;  // in one turn, give or take one group's

// Whether what is said of the group may be another thing in a moment: members come, or were not
// written yet.
bool IsOnTheMove(const GroupState& group, const ClassicGroup* live) {
  const bool has_live = live != nullptr && !live->members.empty();
  if (live != nullptr && !live->pending_members.empty()) return true;
  if (has_live) return live->state != ClassicGroupState::kStable;
  return !group.classic.members.empty();
}

}  // namespace

bool GroupCoordinatorCore::ExpireGroup(const std::string& group_id, const GroupState& group,
                                       TimestampMs now, const GroupTopicView& topics,
                                       ExpiredOffsets& expired) const {
  const ClassicGroup* live = classic_.Find(group_id);
  if (group.offsets.empty() || IsOnTheMove(group, live)) return true;
  const ClassicGroup* classic = FindClassic(group_id);
  if (classic != nullptr && classic->protocol_type != kConsumerProtocolType) return true;
  const auto subscribed = SubscribedTopics(group_id, group, topics);
  if (!subscribed) return true;
  const bool has_members = classic != nullptr || !group.membership.members.empty();
  const TimestampMs empty_since =
      has_members ? TimestampMs(0)
                  : std::max(group.membership.empty_since, group.classic.empty_since);
  TopicPartitions old;
  for (const auto& [partition, offset] : group.offsets) {
    const TimestampMs since = std::max(empty_since, offset.commit_time);
    const bool is_old = now.value() - since.value() >= options_.offsets_retention_ms;
    if (is_old && !subscribed->contains(partition.topic_id)) old.push_back(partition);
  }
  // Nothing is left of the group: one record says it all.
  if (!has_members && old.size() == group.offsets.size()) {
    expired.records.push_back(GroupRemovedRecord(group_id));
    expired.offsets += old.size();
    ++expired.groups;
    return true;
  }
  for (const TopicPartition& partition : old) {
    if (expired.records.size() >= options_.records_per_turn_max) return false;
    expired.records.push_back(OffsetRemovedRecord(group_id, partition));
    ++expired.offsets;
  }
  return true;
}

ExpiredOffsets GroupCoordinatorCore::ExpireOffsets(Now now, const GroupTopicView& topics) {
  ExpiredOffsets expired;
  if (!expiry_at_ || now.mono < *expiry_at_) return expired;
  size_t looks = 0;
  for (auto it = groups_.lower_bound(expiry_next_); it != groups_.end(); ++it) {
    const bool go_on = expired.records.size() < options_.records_per_turn_max &&
                       looks < kOffsetsPerLookMax &&
                       ExpireGroup(it->first, it->second, now.wall, topics, expired);
    if (!go_on) {
      expiry_next_ = it->first;
      return expired;
    }
    looks += 1 + it->second.offsets.size();
  }
  expiry_next_.clear();
  expiry_at_ = now.mono + std::chrono::milliseconds(options_.offsets_retention_check_ms);
  return expired;
}

}  // namespace quipu
