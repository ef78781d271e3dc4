// GroupCoordinatorCore: members of the classic protocol in a group whose partitions the server
// assigns (KIP-848, "Online migration"). They join to be taken further towards their targets, learn
// of it from their heartbeats, and fetch from SyncGroup what they were given.
#include <algorithm>
#include <utility>

#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/classic/named_partitions.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"
#include "core/coordinator/rebalance.h"

namespace quipu {
namespace {

// What a JoinGroup says of a consumer; nullopt: it says nothing that could be read.
struct Wish {
  TopicNames topics;  // sorted, without duplicates
  TopicPartitions owned;
};
std::optional<Wish> WishOf(const ClassicJoinRequest& request, const GroupTopicView& topics) {
  if (request.protocol_type != kConsumerProtocolType || request.protocols.empty()) {
    return std::nullopt;
  }
  const std::string& metadata = request.protocols.front().metadata;
  auto names = SubscribedTopicsIn(metadata);
  const auto owned = OwnedPartitionsIn(metadata);
  if (!names || !owned) return std::nullopt;
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
  return Wish{.topics = *std::move(names), .owned = ToIds(*owned, topics)};
}

// The member after the request, in the place of `former` if there was one.
GroupMember Rejoined(const ClassicJoinRequest& request, const GroupCoordinatorOptions& options,
                     const std::string& member_id, const Wish& wish, const GroupMember* former) {
  LiveClassicMember said;
  TakeUp(request, options, said);
  GroupMember member;
  if (former != nullptr) member = *former;
  if (former != nullptr && former->member_id != member_id) {
    member.replaced_member_id = former->member_id;
  }
  member.member_id = member_id;
  member.instance_id = request.instance_id;
  member.client_id = said.client_id;
  member.client_host = said.client_host;
  member.assignor.clear();
  member.subscribed_topics = wish.topics;
  member.session_timeout_ms = said.session_timeout_ms;
  member.rebalance_timeout_ms = said.rebalance_timeout_ms;
  member.classic_protocols.clear();
  for (const ClassicProtocol& protocol : request.protocols) {
    member.classic_protocols.push_back(protocol.name);
  }
  return member;
}

}  // namespace

const GroupState* GroupCoordinatorCore::FindMixed(const std::string& group_id) const {
  const GroupState* group = FindGroup(group_id);
  return group != nullptr && !group->membership.members.empty() ? group : nullptr;
}

ErrorCode GroupCoordinatorCore::CheckClassicSender(const GroupState& group,
                                                   const std::string& member_id,
                                                   const std::string& instance_id,
                                                   int32_t generation) {
  const ErrorCode fenced = CheckInstance(group.membership, instance_id, member_id);
  if (fenced != ErrorCode::kNone) return fenced;
  const auto it = group.membership.members.find(member_id);
  const bool known = it != group.membership.members.end() && it->second.is_classic();
  if (!known) return ErrorCode::kUnknownMemberId;
  return GroupEpoch(generation) == it->second.epoch ? ErrorCode::kNone
                                                    : ErrorCode::kIllegalGeneration;
}

ErrorCode GroupCoordinatorCore::CheckMixedJoin(const ClassicJoinRequest& request,
                                               const GroupMembership& membership,
                                               const GroupMember* former,
                                               bool holds_something) const {
  // An instance id is known already.
  if (request.member_id.empty() && request.instance_id.empty() && request.require_known_member_id) {
    return ErrorCode::kMemberIdRequired;
  }
  if (former == nullptr) {
    // It was a member once, and what it holds may be another's by now.
    const bool was_member =
        !request.member_id.empty() && (!request.instance_id.empty() || holds_something);
    // Nor did anybody give out an id that no record could hold.
    const bool is_id = request.member_id.empty() || IsName(request.member_id, options_);
    if (was_member || !is_id) return ErrorCode::kUnknownMemberId;
    return membership.members.size() >= options_.members_per_group_max
               ? ErrorCode::kGroupMaxSizeReached
               : ErrorCode::kNone;
  }
  const bool is_other = !request.member_id.empty() && former->member_id != request.member_id;
  return is_other ? ErrorCode::kFencedInstanceId : ErrorCode::kNone;
}

GroupRecords GroupCoordinatorCore::JoinMixed(uint64_t token, const ClassicJoinRequest& request,
                                             const GroupState& group, Now now,
                                             const GroupTopicView& topics) {
  ClassicJoinAnswer answer;
  answer.member_id = request.member_id.empty() ? classic_.MakeMemberId(request) : request.member_id;
  const auto refuse = [&](ErrorCode error) {
    answer.error = error;
    classic_.Refuse(token, answer);
    return GroupRecords();
  };
  const GroupMembership& before = group.membership;
  const auto wish = WishOf(request, topics);
  if (!wish) return refuse(ErrorCode::kInconsistentGroupProtocol);
  if (!AreTopicNames(wish->topics, options_)) return refuse(ErrorCode::kInvalidRequest);
  const GroupMember* former = FindInstance(before, request.instance_id);
  const auto it = before.members.find(request.member_id);
  if (former == nullptr && it != before.members.end()) former = &it->second;
  const ErrorCode refused = CheckMixedJoin(request, before, former, !wish->owned.empty());
  if (refused != ErrorCode::kNone) return refuse(refused);

  GroupMembership after = before;
  if (former != nullptr) after.members.erase(former->member_id);
  GroupMember& member = after.members[answer.member_id] =
      Rejoined(request, options_, answer.member_id, *wish, former);
  const bool retarget = former == nullptr || former->assignor != member.assignor ||
                        former->subscribed_topics != member.subscribed_topics;
  const size_t pending = former != nullptr ? former->pending_revocation.size() : 0;
  if (CommonClassicProtocols(after).empty()) return refuse(ErrorCode::kInconsistentGroupProtocol);
  if (GroupRecords records = Downgraded(request.group_id, after, topics); !records.empty()) {
    // The last one that the server assigned to has come back as this: it joins with the others.
    answer.error = ErrorCode::kRebalanceInProgress;
    classic_.AnswerIfWritten(token, std::move(answer));
    return records;
  }
  if (retarget) {
    if (!HasRoomForPartitions(after, topics)) return refuse(ErrorCode::kGroupMaxSizeReached);
    Retarget(after, topics, true);
    if (!HasRoomForBytes(GrowthTo(request.group_id, after), former != nullptr)) {
      return refuse(ErrorCode::kGroupMaxSizeReached);
    }
  }
  Reconcile(after, member, &wish->owned);
  RestartTimers(request.group_id, member, pending, now.mono);
  answer.generation = member.epoch.value();
  answer.protocol_type = kConsumerProtocolType;
  answer.protocol = member.classic_protocols.front();
  classic_.AnswerIfWritten(token, std::move(answer));  // nobody leads
  return MembershipChange(request.group_id, before, after);
}

void GroupCoordinatorCore::SyncMixed(uint64_t token, const ClassicSyncRequest& request,
                                     const GroupState& group, Now now,
                                     const GroupTopicView& topics) {
  ClassicSyncAnswer answer;
  answer.error =
      CheckClassicSender(group, request.member_id, request.instance_id, request.generation);
  if (answer.error == ErrorCode::kNone) {
    const GroupMember& member = group.membership.members.at(request.member_id);
    const std::vector<std::string>& known = member.classic_protocols;
    const bool other_type =
        !request.protocol_type.empty() && request.protocol_type != kConsumerProtocolType;
    const bool other_protocol =
        !request.protocol.empty() &&
        std::find(known.begin(), known.end(), request.protocol) == known.end();
    RestartSession(request.group_id, member, now.mono);
    if (other_type || other_protocol) {
      answer.error = ErrorCode::kInconsistentGroupProtocol;
    } else if (member.epoch != group.membership.assignment_epoch &&
               member.pending_revocation.empty()) {
      // Its target has changed since it joined. One that has yet to give something up goes on.
      answer.error = ErrorCode::kRebalanceInProgress;
      StartMoveClock(request.group_id, member, now.mono);
    } else {
      answer.protocol_type = kConsumerProtocolType;
      answer.protocol = known.front();
      answer.assignment = EncodeAssignment(ToNames(PartitionsOf(member.assigned), topics));
    }
  }
  classic_.Refuse(token, std::move(answer));
}

void GroupCoordinatorCore::BeatMixed(uint64_t token, const ClassicHeartbeatRequest& request,
                                     const GroupState& group, Now now) {
  ErrorCode error =
      CheckClassicSender(group, request.member_id, request.instance_id, request.generation);
  if (error == ErrorCode::kNone) {
    const GroupMember& member = group.membership.members.at(request.member_id);
    RestartSession(request.group_id, member, now.mono);
    if (HasToMove(group.membership, member)) {
      StartMoveClock(request.group_id, member, now.mono);
      error = ErrorCode::kRebalanceInProgress;
    }
  }
  classic_.Refuse(token, ClassicHeartbeatAnswer{.error = error});
}

GroupRecords GroupCoordinatorCore::LeaveMixed(uint64_t token, const ClassicLeaveRequest& request,
                                              const GroupState& group,
                                              const GroupTopicView& topics) {
  ClassicLeaveAnswer answer;
  std::vector<std::string> leaving;
  for (const ClassicLeaveRequest::Member& leaver : request.members) {
    const GroupMember* holder = FindInstance(group.membership, leaver.instance_id);
    const auto it = group.membership.members.find(leaver.member_id);
    // Whoever names the instance alone may name one of either protocol, as an operator does.
    const GroupMember* member = leaver.member_id.empty() ? holder : nullptr;
    if (it != group.membership.members.end() && it->second.is_classic()) member = &it->second;
    ErrorCode error = member != nullptr ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
    if (holder != nullptr && !leaver.member_id.empty() && holder != member) {
      error = ErrorCode::kFencedInstanceId;
    } else if (!leaver.instance_id.empty() && holder == nullptr) {
      error = ErrorCode::kUnknownMemberId;
    }
    if (error == ErrorCode::kNone &&
        std::find(leaving.begin(), leaving.end(), member->member_id) == leaving.end()) {
      leaving.push_back(member->member_id);
    }
    answer.members.push_back(
        {.member_id = leaver.member_id, .instance_id = leaver.instance_id, .error = error});
  }
  GroupRecords records;
  if (!leaving.empty()) RemoveMembers(request.group_id, leaving, topics, records);
  classic_.AnswerIfWritten(token, std::move(answer));
  return records;
}

}  // namespace quipu
