// ClassicGroups: SyncGroup, Heartbeat, LeaveGroup.
#include <utility>

#include "base/planted_bug.h"
#include "core/coordinator/classic/classic_groups.h"

namespace quipu {
namespace {

ErrorCode CheckSync(const ClassicGroup* group, const ClassicSyncRequest& request) {
  if (group == nullptr) return ErrorCode::kUnknownMemberId;
  const ErrorCode error = group->CheckMember(request.member_id, request.instance_id);
  if (error != ErrorCode::kNone) return error;
  if (request.generation != group->generation) return ErrorCode::kIllegalGeneration;
  const bool other_type =
      !request.protocol_type.empty() && request.protocol_type != group->protocol_type;
  const bool other_protocol = !request.protocol.empty() && request.protocol != group->protocol;
  if (other_type || other_protocol) return ErrorCode::kInconsistentGroupProtocol;
  return group->state == ClassicGroupState::kPreparingRebalance ? ErrorCode::kRebalanceInProgress
                                                                : ErrorCode::kNone;
}

ClassicSyncAnswer SyncedAnswer(const ClassicGroup& group, const std::string& assignment) {
  ClassicSyncAnswer answer;
  answer.protocol_type = group.protocol_type;
  answer.protocol = group.protocol;
  answer.assignment = assignment;
  return answer;
}

}  // namespace

void ClassicGroups::Sync(uint64_t token, const ClassicSyncRequest& request, Instant now) {
  ClassicGroup* group = FindLive(request.group_id);
  if (const ErrorCode error = CheckSync(group, request); error != ErrorCode::kNone) {
    Reply(token, WithError(ClassicSyncAnswer(), error));
    return;
  }
  LiveClassicMember& member = *group->Find(request.member_id);
  if (group->state == ClassicGroupState::kCompletingRebalance &&
      group->leader == request.member_id) {
    StageAssignment(token, request, *group);
    return;
  }
  group->pending_syncs.erase(request.member_id);
  if (group->state == ClassicGroupState::kCompletingRebalance &&
      !IsPlanted(PlantedBug::kClassicSyncBeforeLeader)) {
    AnswerSuperseded(member, ErrorCode::kRebalanceInProgress);
    member.sync_token = token;
    timers_.ClearAll({group->id, request.member_id});
    return;
  }
  if (group->pending_syncs.empty()) StopPhase(*group);
  StartSession(group->id, request.member_id, member.session_timeout_ms, now);
  Reply(token, SyncedAnswer(*group, member.assignment));
}

void ClassicGroups::StageAssignment(uint64_t token, const ClassicSyncRequest& request,
                                    const ClassicGroup& group) {
  Staged staged;
  staged.next = group;
  ClassicGroup& next = staged.next;
  next.state = ClassicGroupState::kStable;
  next.pending_syncs.erase(request.member_id);
  for (const auto& [member_id, assignment] : request.assignments) {
    LiveClassicMember* member = next.Find(member_id);
    if (member != nullptr) next.SetAssignment(*member, assignment);
  }
  next.Find(request.member_id)->sync_token = token;
  for (auto& [member_id, member] : next.members) {
    if (!member.sync_token) continue;
    ClassicReply& reply = staged.replies.emplace_back();
    reply.token = *std::exchange(member.sync_token, std::nullopt);
    reply.answer = SyncedAnswer(next, member.assignment);
    staged.heard.push_back(member_id);
  }
  // A record has to fit into one batch.
  if (ClassicGroupRecord(next.id, next.ToDurable()).ByteSizeLong() >
      options_.classic_group_bytes_max) {
    Reply(token, WithError(ClassicSyncAnswer(), ErrorCode::kInvalidRequest));
    return;
  }
  staged.refused.token = token;
  staged.refused.answer = ClassicSyncAnswer();
  unsaved_.erase(next.id);  // what is written now says more
  staged_ = std::move(staged);
}

void ClassicGroups::Heartbeat(uint64_t token, const ClassicHeartbeatRequest& request, Instant now) {
  const ClassicGroup* group = Find(request.group_id);
  ErrorCode error = ErrorCode::kUnknownMemberId;
  if (group != nullptr) error = group->CheckMember(request.member_id, request.instance_id);
  if (error == ErrorCode::kNone && request.generation != group->generation) {
    error = ErrorCode::kIllegalGeneration;
  }
  if (error == ErrorCode::kNone) {
    const LiveClassicMember& member = *group->Find(request.member_id);
    if (!member.is_new) {
      StartSession(group->id, request.member_id, member.session_timeout_ms, now);
    }
    if (group->state == ClassicGroupState::kPreparingRebalance) {
      error = ErrorCode::kRebalanceInProgress;
    }
  }
  Reply(token, ClassicHeartbeatAnswer{.error = error});
}

ErrorCode ClassicGroups::LeaveOne(const ClassicLeaveRequest::Member& leaver, ClassicGroup& group) {
  if (group.RemovePending(leaver.member_id)) {
    timers_.ClearAll({group.id, leaver.member_id});
    return ErrorCode::kNone;
  }
  std::string member_id = leaver.member_id;
  if (member_id.empty()) member_id = group.MemberOfInstance(leaver.instance_id);
  const ErrorCode error = group.CheckMember(member_id, leaver.instance_id);
  if (error == ErrorCode::kNone) RemoveMember(group, member_id);
  return error;
}

void ClassicGroups::Leave(uint64_t token, const ClassicLeaveRequest& request, Instant now) {
  ClassicGroup* group = FindLive(request.group_id);
  const size_t before = group != nullptr ? group->members.size() : 0;
  ClassicLeaveAnswer answer;
  for (const ClassicLeaveRequest::Member& leaver : request.members) {
    answer.members.push_back(
        {.member_id = leaver.member_id,
         .instance_id = leaver.instance_id,
         .error = group != nullptr ? LeaveOne(leaver, *group) : ErrorCode::kUnknownMemberId});
  }
  if (group != nullptr && group->members.size() < before) {
    AfterRemoval(*group, now);
  } else if (group != nullptr) {
    MaybeCompleteJoin(*group, now);  // a pending member may be all that was waited for
  }
  ForgetVoid(request.group_id);
  Recount(request.group_id);
  Reply(token, std::move(answer));
}

}  // namespace quipu
