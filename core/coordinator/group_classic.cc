// GroupCoordinatorCore: the way in and out of classic groups.
#include <algorithm>
#include <utility>

#include "core/coordinator/classic/classic_requests.h"
#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/group_bytes.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"

namespace quipu {

const ClassicGroup* GroupCoordinatorCore::FindClassic(const std::string& group_id) const {
  return classic_.HasMembers(group_id) ? classic_.Find(group_id) : nullptr;
}

bool GroupCoordinatorCore::HasRoomForGroup(const std::string& group_id) const {
  if (groups_.contains(group_id) || classic_.Find(group_id) != nullptr) return true;
  const auto& live = classic_.groups();
  if (groups_.size() + live.size() < options_.groups_max) return true;
  const auto only_live = std::count_if(
      live.begin(), live.end(), [this](const auto& item) { return !groups_.contains(item.first); });
  return groups_.size() + static_cast<size_t>(only_live) < options_.groups_max;
}

bool GroupCoordinatorCore::HasRoomForBytes(int64_t growth, bool goes_on) const {
  const size_t most = goes_on ? 2 * options_.bytes_max : options_.bytes_max;
  return growth <= 0 || held_bytes() + static_cast<size_t>(growth) <= most;
}

int64_t GroupCoordinatorCore::GrowthTo(const std::string& group_id,
                                       const GroupMembership& after) const {
  const GroupState* group = FindGroup(group_id);
  const size_t before = group != nullptr ? HeldBytes(group->membership) : 0;
  const size_t added = group != nullptr ? 0 : kHeldGroupBytes + group_id.size();
  return static_cast<int64_t>(HeldBytes(after) + added) - static_cast<int64_t>(before);
}

std::optional<Instant> GroupCoordinatorCore::NextDeadline() const {
  const auto servers = timers_.NextDeadline();
  const auto classic = classic_.NextDeadline();
  std::optional<Instant> next;
  for (const auto& each : {servers, classic, groups_.empty() ? std::nullopt : expiry_at_}) {
    if (each && (!next || *each < *next)) next = each;
  }
  return next;
}

GroupRecords GroupCoordinatorCore::JoinGroup(uint64_t token, const ClassicJoinRequest& request,
                                             Now now, const GroupTopicView& topics) {
  clock_ = now;
  ErrorCode error = ValidateClassicJoin(request, options_);
  const GroupState* group = FindMixed(request.group_id);
  if (error == ErrorCode::kNone && group != nullptr) {
    return JoinMixed(token, request, *group, now, topics);
  }
  group = FindGroup(request.group_id);
  // No code of Kafka's clients says "too many groups".
  if (error == ErrorCode::kNone &&
      (!HasRoomForGroup(request.group_id) ||
       !HasRoomForBytes(classic_.GrowthBy(request), classic_.FindMember(request) != nullptr))) {
    error = ErrorCode::kGroupMaxSizeReached;
  }
  GroupRecords records;
  if (error != ErrorCode::kNone) {
    ClassicJoinAnswer answer;
    answer.error = error;
    answer.member_id = request.member_id;
    classic_.Refuse(token, std::move(answer));
  } else {
    classic_.Join(token, request, group != nullptr ? group->classic.generation : 0, now.mono);
  }
  classic_.TakeRecords(groups_, clock_.wall, records);
  return records;
}

GroupRecords GroupCoordinatorCore::SyncGroup(uint64_t token, const ClassicSyncRequest& request,
                                             Now now, const GroupTopicView& topics) {
  clock_ = now;
  GroupRecords records;
  const GroupState* group = FindMixed(request.group_id);
  if (const ErrorCode error = ValidateGroupId(request.group_id, options_);
      error != ErrorCode::kNone) {
    classic_.Refuse(token, WithError(ClassicSyncAnswer(), error));
  } else if (group != nullptr) {
    SyncMixed(token, request, *group, now, topics);
  } else {
    classic_.Sync(token, request, now.mono);
    group = FindGroup(request.group_id);
    const int64_t growth =
        classic_.StagedGrowth(group != nullptr ? group->classic : ClassicMembership());
    // As when the log cannot take it: the members come again, until there is room.
    const bool has_room = HasRoomForBytes(growth, true);
    if (!has_room) classic_.RefuseStaged(ErrorCode::kCoordinatorNotAvailable);
  }
  classic_.TakeRecords(groups_, clock_.wall, records);
  return records;
}

GroupRecords GroupCoordinatorCore::ClassicHeartbeat(uint64_t token,
                                                    const ClassicHeartbeatRequest& request,
                                                    Now now) {
  clock_ = now;
  GroupRecords records;
  if (const ErrorCode error = ValidateGroupId(request.group_id, options_);
      error != ErrorCode::kNone) {
    classic_.Refuse(token, WithError(ClassicHeartbeatAnswer(), error));
  } else if (const GroupState* group = FindMixed(request.group_id)) {
    BeatMixed(token, request, *group, now);
  } else {
    classic_.Heartbeat(token, request, now.mono);
  }
  classic_.TakeRecords(groups_, clock_.wall, records);
  return records;
}

GroupRecords GroupCoordinatorCore::LeaveGroup(uint64_t token, const ClassicLeaveRequest& request,
                                              Now now, const GroupTopicView& topics) {
  clock_ = now;
  GroupRecords records;
  if (const ErrorCode error = ValidateClassicLeave(request, options_); error != ErrorCode::kNone) {
    classic_.Refuse(token, WithError(ClassicLeaveAnswer(), error));
  } else if (const GroupState* group = FindMixed(request.group_id)) {
    return LeaveMixed(token, request, *group, topics);
  } else {
    classic_.Leave(token, request, now.mono);
  }
  classic_.TakeRecords(groups_, clock_.wall, records);
  return records;
}

void GroupCoordinatorCore::AddClassicTimeouts(Instant now, GroupRecords& records) {
  std::vector<std::string> idle;
  classic_.OnTime(now, idle);
  for (const std::string& group_id : idle) {
    const GroupState* group = FindGroup(group_id);
    if (group == nullptr) {
      classic_.ForgetEmpty(group_id);
    } else if (group->offsets.empty() && group->membership.members.empty()) {
      records.push_back(GroupRemovedRecord(group_id));
    }
  }
  classic_.TakeRecords(groups_, clock_.wall, records);
}

int32_t GroupCoordinatorCore::ClassicGeneration(const std::string& group_id) const {
  const ClassicGroup* live = classic_.Find(group_id);
  if (live != nullptr) return live->generation;
  const GroupState* group = FindGroup(group_id);
  return group != nullptr ? group->classic.generation : 0;
}

GroupRecords GroupCoordinatorCore::RetireClassic(const std::string& group_id) const {
  const GroupState* group = FindGroup(group_id);
  const bool is_classic = group != nullptr && !group->classic.protocol_type.empty();
  if (!is_classic && classic_.Find(group_id) == nullptr) return {};
  ClassicMembership retired;
  retired.generation = ClassicGeneration(group_id);
  return {ClassicGroupRecord(group_id, retired)};
}

std::optional<absl::btree_set<TopicId>> GroupCoordinatorCore::SubscribedTopics(
    const std::string& group_id, const GroupState& group, const GroupTopicView& topics) const {
  absl::btree_set<std::string> names;
  for (const auto& [member_id, member] : group.membership.members) {
    names.insert(member.subscribed_topics.begin(), member.subscribed_topics.end());
  }
  if (const ClassicGroup* classic = FindClassic(group_id)) {
    for (const auto& [member_id, member] : classic->members) {
      for (const ClassicProtocol& protocol : member.protocols) {
        const auto read = SubscribedTopicsIn(protocol.metadata);
        if (!read) return std::nullopt;
        names.insert(read->begin(), read->end());
      }
    }
  }
  absl::btree_set<TopicId> subscribed;
  for (const std::string& name : names) {
    if (const auto topic = topics.FindByName(name)) subscribed.insert(topic->id);
  }
  return subscribed;
}

}  // namespace quipu
