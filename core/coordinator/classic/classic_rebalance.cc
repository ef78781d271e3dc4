// ClassicGroups: how a rebalance begins and ends.
#include <algorithm>
#include <utility>

#include "core/coordinator/classic/classic_groups.h"

namespace quipu {

void ClassicGroups::Rebalance(ClassicGroup& group, Instant now) {
  if (group.state == ClassicGroupState::kPreparingRebalance) {
    MaybeCompleteJoin(group, now);
  } else {
    Prepare(group, now);
  }
}

void ClassicGroups::Prepare(ClassicGroup& group, Instant now) {
  // The assignment that was waited for never comes.
  for (auto& [member_id, member] : group.members) {
    if (!member.sync_token) continue;
    AnswerSuperseded(member, ErrorCode::kRebalanceInProgress);
    StartSession(group.id, member_id, member.session_timeout_ms, now);
  }
  group.pending_syncs.clear();
  const bool was_empty = group.state == ClassicGroupState::kEmpty;
  group.state = ClassicGroupState::kPreparingRebalance;
  group.is_initial = was_empty && options_.classic_initial_rebalance_delay_ms > 0;
  if (group.is_initial) {
    // Others are probably about to come.
    group.new_member_added = false;
    group.delay_ms = options_.classic_initial_rebalance_delay_ms;
    group.remaining_ms = std::max(group.RebalanceTimeoutMs() - group.delay_ms, 0);
    StartPhase(group, group.delay_ms, now);
    return;
  }
  StartPhase(group, group.RebalanceTimeoutMs(), now);
  MaybeCompleteJoin(group, now);
}

void ClassicGroups::ExtendInitialDelay(ClassicGroup& group, Instant now) {
  group.new_member_added = false;
  const int32_t next = std::min(options_.classic_initial_rebalance_delay_ms, group.remaining_ms);
  group.remaining_ms = std::max(group.remaining_ms - group.delay_ms, 0);
  group.delay_ms = next;
  StartPhase(group, next, now);
}

void ClassicGroups::MaybeCompleteJoin(ClassicGroup& group, Instant now) {
  const bool waits = group.state == ClassicGroupState::kPreparingRebalance && !group.is_initial;
  if (waits && group.HasAllJoined()) CompleteJoin(group, now);
}

void ClassicGroups::CompleteJoin(ClassicGroup& group, Instant now) {
  group.is_initial = false;
  std::vector<std::string> absent;
  for (const auto& [member_id, member] : group.members) {
    // A static member keeps its place for its session time-out.
    if (!member.join_token && member.instance_id.empty()) absent.push_back(member_id);
  }
  for (const std::string& member_id : absent) RemoveMember(group, member_id);
  if (!group.members.empty() && !group.ElectJoinedLeader()) {
    // Only static members that are away: one of them comes, or their sessions end.
    StartPhase(group, group.RebalanceTimeoutMs(), now);
    return;
  }
  ++group.generation;
  group.pending_syncs.clear();
  if (group.members.empty()) {
    StopPhase(group);
    group.state = ClassicGroupState::kEmpty;
    group.protocol.clear();
    unsaved_[group.id] = group.ToDurable();
    return;
  }
  group.state = ClassicGroupState::kCompletingRebalance;
  group.protocol = group.SelectProtocol();
  for (auto& [member_id, member] : group.members) {
    group.SetAssignment(member, "");
    if (!member.join_token) continue;
    if (!member.instance_id.empty()) {
      told_.insert(group.id);
      if_written_.insert(*member.join_token);
    }
    Reply(*std::exchange(member.join_token, std::nullopt), JoinedAnswer(group, member_id));
    member.is_new = false;
    group.pending_syncs.insert(member_id);
    StartSession(group.id, member_id, member.session_timeout_ms, now);
  }
  StartPhase(group, group.RebalanceTimeoutMs(), now);
}

void ClassicGroups::ExpirePendingSyncs(ClassicGroup& group, Instant now) {
  if (group.pending_syncs.empty()) return;
  const std::vector<std::string> silent(group.pending_syncs.begin(), group.pending_syncs.end());
  for (const std::string& member_id : silent) RemoveMember(group, member_id);
  AfterRemoval(group, now);
}

void ClassicGroups::RemoveMember(ClassicGroup& group, const std::string& member_id) {
  AnswerSuperseded(*group.Find(member_id), ErrorCode::kUnknownMemberId);
  timers_.ClearAll({group.id, member_id});
  group.Remove(member_id);
}

void ClassicGroups::AfterRemoval(ClassicGroup& group, Instant now) {
  if (group.state != ClassicGroupState::kEmpty) Rebalance(group, now);
}

void ClassicGroups::AnswerSuperseded(LiveClassicMember& member, ErrorCode error) {
  if (member.join_token) {
    Reply(*std::exchange(member.join_token, std::nullopt), WithError(ClassicJoinAnswer(), error));
  }
  if (member.sync_token) {
    Reply(*std::exchange(member.sync_token, std::nullopt), WithError(ClassicSyncAnswer(), error));
  }
}

}  // namespace quipu
