// GroupCoordinatorCore: members come, stay and go.
#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/container/btree_set.h"
#include "base/check.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"
#include "core/coordinator/rebalance.h"

namespace quipu {
namespace {

GroupResult<message::GroupHeartbeatResponse> Refuse(const message::GroupHeartbeatRequest& request,
                                                    ErrorCode error) {
  GroupResult<message::GroupHeartbeatResponse> result;
  result.response.set_error_code(static_cast<int32_t>(error));
  result.response.set_error_message(std::string(ErrorDescription(error)));
  result.response.set_member_id(request.member_id());
  return result;
}

// Whether all that the member says it holds is, or was until just now, given to it.
bool HoldsOnlyItsOwn(const TopicPartitions& owned, const GroupMember& member) {
  return std::all_of(owned.begin(), owned.end(), [&member](const TopicPartition& partition) {
    return FindAssigned(member.assigned, partition) != nullptr ||
           FindAssigned(member.pending_revocation, partition) != nullptr;
  });
}

// Partitions of all topics that the members read.
size_t CountSubscribedPartitions(const GroupMembership& membership, const GroupTopicView& topics) {
  absl::btree_set<std::string> names;
  for (const auto& [member_id, member] : membership.members) {
    names.insert(member.subscribed_topics.begin(), member.subscribed_topics.end());
  }
  size_t count = 0;
  for (const std::string& name : names) {
    const auto topic = topics.FindByName(name);
    if (topic.has_value()) count += static_cast<size_t>(topic->partition_count);
  }
  return count;
}

Duration Milliseconds(int32_t count) { return std::chrono::milliseconds(count); }

}  // namespace

GroupResult<message::GroupHeartbeatResponse> GroupCoordinatorCore::Heartbeat(
    const message::GroupHeartbeatRequest& request, absl::string_view client_host, Now now,
    const GroupTopicView& topics) {
  const ErrorCode invalid = ValidateHeartbeat(request, options_);
  if (invalid != ErrorCode::kNone) return Refuse(request, invalid);
  clock_ = now;
  if (request.member_epoch() == kLeaveEpoch) return Leave(request, topics);
  if (request.member_epoch() == kLeaveStaticEpoch) return LeaveStatic(request, now);

  const GroupMembership& stored = MembershipOf(request.group_id());
  const ClassicGroup* classic = FindClassic(request.group_id());
  std::optional<GroupMembership> upgraded;
  if (classic != nullptr && request.member_epoch() == kJoinEpoch) {
    upgraded = Upgraded(*classic, FindGroup(request.group_id()), topics);
    if (!upgraded) return Refuse(request, ErrorCode::kGroupIdNotFound);
  }
  const GroupMembership& before = upgraded ? *upgraded : stored;
  const auto it = before.members.find(request.member_id());
  const GroupMember* existing = it != before.members.end() ? &it->second : nullptr;
  const ErrorCode refused = CheckSender(request, before, existing);
  if (refused != ErrorCode::kNone) return Refuse(request, refused);

  // A static member whose process restarted takes over what the one before it had.
  const GroupMember* former =
      existing != nullptr ? existing : FindInstance(before, request.instance_id());
  GroupMember updated = Updated(request, client_host, former);
  if (existing != nullptr && updated == *existing && IsSettled(before, updated)) {
    RestartTimers(request.group_id(), updated, 0, now.mono);
    return {.records = {}, .response = HeartbeatAnswer(before, updated)};
  }

  GroupMembership after = before;
  after.empty_since = TimestampMs(0);
  after.epoch = std::max(after.epoch, GroupEpoch(ClassicGeneration(request.group_id())));
  if (existing == nullptr && former != nullptr) after.members.erase(former->member_id);
  const bool retarget = upgraded || former == nullptr || former->assignor != updated.assignor ||
                        former->subscribed_topics != updated.subscribed_topics;
  GroupMember& member = after.members[updated.member_id] = std::move(updated);
  if (retarget) {
    if (!HasRoomForPartitions(after, topics)) return Refuse(request, ErrorCode::kLimitReached);
    Retarget(after, topics, true);
    if (!HasRoomForBytes(GrowthTo(request.group_id(), after), former != nullptr)) {
      return Refuse(request, ErrorCode::kLimitReached);
    }
  }
  // A member that joins holds nothing, whether it says so or not.
  const bool says_owned = request.owned_present() || request.member_epoch() == kJoinEpoch;
  const TopicPartitions owned = FromProto(request.owned());
  Reconcile(after, member, says_owned ? &owned : nullptr);
  RestartTimers(request.group_id(), member,
                existing != nullptr ? existing->pending_revocation.size() : 0, now.mono);
  if (upgraded) {
    for (const auto& [member_id, converted] : before.members) {
      RestartSession(request.group_id(), converted, now.mono);
    }
  }
  HeartbeatResult result{.records = RetireClassic(request.group_id()),
                         .response = HeartbeatAnswer(after, member)};
  for (record::GroupRecord& record : MembershipChange(request.group_id(), stored, after)) {
    result.records.push_back(std::move(record));
  }
  return result;
}

bool GroupCoordinatorCore::HasRoomForPartitions(const GroupMembership& membership,
                                                const GroupTopicView& topics) const {
  return CountSubscribedPartitions(membership, topics) <= options_.partitions_per_group_max;
}

ErrorCode GroupCoordinatorCore::CheckSender(const message::GroupHeartbeatRequest& request,
                                            const GroupMembership& membership,
                                            const GroupMember* member) const {
  // Nobody changes its instance id, or takes one while it is a member.
  const bool changed = member != nullptr && !request.instance_id().empty() &&
                       request.instance_id() != member->instance_id;
  if (changed) return ErrorCode::kInvalidRequest;
  const ErrorCode fenced = CheckInstance(membership, request.instance_id(), request.member_id());
  if (request.member_epoch() == kJoinEpoch && fenced != ErrorCode::kNone) {
    // The newest process has the place, but for one that already lost it to this member: its join
    // was late.
    const GroupMember* holder = FindInstance(membership, request.instance_id());
    if (holder->replaced_member_id == request.member_id()) return fenced;
    return request.subscription_present() ? ErrorCode::kNone : ErrorCode::kInvalidRequest;
  }
  if (fenced != ErrorCode::kNone) return fenced;
  if (request.member_epoch() == kJoinEpoch) {
    if (member != nullptr) return ErrorCode::kNone;  // its first answer was lost, or it was fenced
    if (!request.subscription_present()) return ErrorCode::kInvalidRequest;
    if (!HasRoomForGroup(request.group_id())) return ErrorCode::kLimitReached;
    return membership.members.size() >= options_.members_per_group_max
               ? ErrorCode::kGroupMaxSizeReached
               : ErrorCode::kNone;
  }
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  const GroupEpoch epoch(request.member_epoch());
  if (epoch == member->epoch) return ErrorCode::kNone;
  // The answer that raised the epoch may have been lost. Then the member knows of no more than it
  // had before, all of which is still its own; anything else is a member of the past.
  const bool answer_lost =
      epoch == member->previous_epoch &&
      (!request.owned_present() || HoldsOnlyItsOwn(FromProto(request.owned()), *member));
  return answer_lost ? ErrorCode::kNone : ErrorCode::kFencedMemberEpoch;
}

GroupMember GroupCoordinatorCore::Updated(const message::GroupHeartbeatRequest& request,
                                          absl::string_view client_host,
                                          const GroupMember* member) const {
  GroupMember updated;
  if (member != nullptr) updated = *member;
  const bool replaces = member != nullptr && member->member_id != request.member_id();
  if (replaces) updated.replaced_member_id = member->member_id;
  const bool is_new = member == nullptr || replaces;
  updated.member_id = request.member_id();
  if (!request.instance_id().empty()) updated.instance_id = request.instance_id();
  updated.client_host = std::string(client_host.substr(0, options_.name_bytes_max));
  // Fields that are sent at join and whenever they change.
  if (is_new || !request.client_id().empty()) updated.client_id = request.client_id();
  if (request.subscription_present()) {
    updated.subscribed_topics.assign(request.subscribed_topics().begin(),
                                     request.subscribed_topics().end());
    std::sort(updated.subscribed_topics.begin(), updated.subscribed_topics.end());
    updated.subscribed_topics.erase(
        std::unique(updated.subscribed_topics.begin(), updated.subscribed_topics.end()),
        updated.subscribed_topics.end());
  }
  // A subscription says all that the member wants.
  if (request.subscription_present() || !request.assignor().empty()) {
    updated.assignor = request.assignor();
  }
  if (request.session_timeout_ms() != 0) {
    updated.session_timeout_ms = request.session_timeout_ms();
  } else if (is_new) {
    updated.session_timeout_ms = options_.session_timeout_ms_default;
  }
  if (request.rebalance_timeout_ms() > 0) {
    updated.rebalance_timeout_ms =
        std::min(request.rebalance_timeout_ms(), options_.rebalance_timeout_ms_max);
  } else if (is_new) {
    updated.rebalance_timeout_ms = options_.rebalance_timeout_ms_default;
  }
  updated.classic_protocols.clear();
  return updated;
}

GroupResult<message::GroupHeartbeatResponse> GroupCoordinatorCore::Leave(
    const message::GroupHeartbeatRequest& request, const GroupTopicView& topics) const {
  const GroupMembership& before = MembershipOf(request.group_id());
  const ErrorCode fenced = CheckInstance(before, request.instance_id(), request.member_id());
  if (fenced != ErrorCode::kNone) return Refuse(request, fenced);
  if (!before.members.contains(request.member_id())) {
    return Refuse(request, ErrorCode::kUnknownMemberId);
  }
  HeartbeatResult result;
  RemoveMembers(request.group_id(), {request.member_id()}, topics, result.records);
  result.response.set_member_id(request.member_id());
  result.response.set_member_epoch(kLeaveEpoch);
  return result;
}

const GroupMembership& GroupCoordinatorCore::MembershipOf(const std::string& group_id) const {
  static const GroupMembership kNoMembership;
  const GroupState* group = FindGroup(group_id);
  return group != nullptr ? group->membership : kNoMembership;
}

ErrorCode GroupCoordinatorCore::CheckInstance(const GroupMembership& membership,
                                              const std::string& instance_id,
                                              const std::string& member_id) {
  const GroupMember* holder = FindInstance(membership, instance_id);
  const bool fenced = holder != nullptr && holder->member_id != member_id;
  return fenced ? ErrorCode::kFencedInstanceId : ErrorCode::kNone;
}

GroupResult<message::GroupHeartbeatResponse> GroupCoordinatorCore::LeaveStatic(
    const message::GroupHeartbeatRequest& request, Now now) {
  const GroupMembership& before = MembershipOf(request.group_id());
  const ErrorCode fenced = CheckInstance(before, request.instance_id(), request.member_id());
  if (fenced != ErrorCode::kNone) return Refuse(request, fenced);
  const GroupMember* holder = FindInstance(before, request.instance_id());
  if (holder == nullptr) return Refuse(request, ErrorCode::kUnknownMemberId);
  // Who goes holds nothing any more: what it was to give up is free, the rest waits for it.
  GroupMembership after = before;
  GroupMember& member = after.members.at(request.member_id());
  member.pending_revocation.clear();
  RestartTimers(request.group_id(), member, 0, now.mono);
  HeartbeatResult result;
  result.records = MembershipChange(request.group_id(), before, after);
  result.response.set_member_id(request.member_id());
  result.response.set_member_epoch(kLeaveStaticEpoch);
  return result;
}

void GroupCoordinatorCore::RemoveMembers(const std::string& group_id,
                                         const std::vector<std::string>& member_ids,
                                         const GroupTopicView& topics,
                                         GroupRecords& records) const {
  const GroupState* group = FindGroup(group_id);
  QUIPU_CHECK(group != nullptr);
  GroupMembership after = group->membership;
  for (const std::string& member_id : member_ids) {
    QUIPU_CHECK(after.members.erase(member_id) == 1);
  }
  // A group that would hold nothing at all goes; otherwise groups_max would fill up with shells.
  if (after.members.empty() && group->offsets.empty()) {
    records.push_back(GroupRemovedRecord(group_id));
    return;
  }
  if (after.members.empty()) after.empty_since = clock_.wall;
  GroupRecords change = Downgraded(group_id, after, topics);
  if (change.empty()) {
    Retarget(after, topics, true);
    change = MembershipChange(group_id, group->membership, after);
  }
  for (record::GroupRecord& record : change) records.push_back(std::move(record));
}

void GroupCoordinatorCore::RestartTimers(const std::string& group_id, const GroupMember& member,
                                         size_t pending_before, Instant now) {
  RestartSession(group_id, member, now);
  const MemberTimers::MemberKey key(group_id, member.member_id);
  const size_t pending = member.pending_revocation.size();
  if (pending == 0) {
    timers_.Clear(key, MemberTimers::Kind::kRevocation);
  } else if (pending > pending_before || !timers_.IsSet(key, MemberTimers::Kind::kRevocation)) {
    // More to give up than before: the time starts again.
    timers_.Clear(key, MemberTimers::Kind::kRevocation);
    StartMoveClock(group_id, member, now);
  }
}

void GroupCoordinatorCore::RestartSession(const std::string& group_id, const GroupMember& member,
                                          Instant now) {
  timers_.Set({group_id, member.member_id}, MemberTimers::Kind::kSession,
              now + Milliseconds(member.session_timeout_ms));
}

void GroupCoordinatorCore::StartMoveClock(const std::string& group_id, const GroupMember& member,
                                          Instant now) {
  const MemberTimers::MemberKey key(group_id, member.member_id);
  if (timers_.IsSet(key, MemberTimers::Kind::kRevocation)) return;
  timers_.Set(key, MemberTimers::Kind::kRevocation,
              now + Milliseconds(member.rebalance_timeout_ms));
}

message::GroupHeartbeatResponse GroupCoordinatorCore::HeartbeatAnswer(
    const GroupMembership& membership, const GroupMember& member) const {
  message::GroupHeartbeatResponse response;
  response.set_member_id(member.member_id);
  response.set_member_epoch(member.epoch.value());
  const int32_t interval = IsSettled(membership, member)
                               ? options_.heartbeat_interval_ms
                               : options_.heartbeat_interval_ms_rebalancing;
  response.set_heartbeat_interval_ms(
      std::max(1, std::min(interval, member.session_timeout_ms / 3)));
  response.set_assignment_present(true);
  ToProto(PartitionsOf(member.assigned), response.mutable_assignment());
  return response;
}

GroupRecords GroupCoordinatorCore::OnTime(Now now, const GroupTopicView& topics) {
  clock_ = now;
  GroupRecords records;
  const std::vector<MemberTimers::MemberKey> due = timers_.Due(now.mono);
  for (size_t i = 0; i < due.size() && records.size() < options_.records_per_turn_max;) {
    const std::string& group_id = due[i].first;
    std::vector<std::string> member_ids;
    const GroupState* group = FindGroup(group_id);
    for (; i < due.size() && due[i].first == group_id; ++i) {
      if (group != nullptr && group->membership.members.contains(due[i].second)) {
        member_ids.push_back(due[i].second);
      } else {
        // The records of its join could not be appended, so it never was a member.
        timers_.ClearAll(due[i]);
      }
    }
    if (!member_ids.empty()) RemoveMembers(group_id, member_ids, topics, records);
  }
  AddClassicTimeouts(now.mono, records);
  return records;
}

GroupRecords GroupCoordinatorCore::OnTopicsChanged(const GroupTopicView& topics) const {
  GroupRecords records;
  for (const auto& [group_id, group] : groups_) {
    if (records.size() >= options_.records_per_turn_max) break;
    if (!group.membership.members.empty()) {
      GroupMembership after = group.membership;
      Retarget(after, topics, false);
      for (record::GroupRecord& record : MembershipChange(group_id, group.membership, after)) {
        records.push_back(std::move(record));
      }
    }
    DropGoneOffsets(group_id, group, topics, records);
  }
  return records;
}

}  // namespace quipu
