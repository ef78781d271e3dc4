// ClassicGroups: JoinGroup.
#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "core/coordinator/classic/classic_groups.h"
#include "core/coordinator/classic/consumer_protocol.h"

namespace quipu {
namespace {

// Of the client's name in a member id that is made for it.
constexpr size_t kMemberIdPrefixBytesMax = 128;

// The text up to `bytes_max`, cut between characters.
std::string Shortened(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

// Whether a restarted static member wants what it wanted before, so that the assignment still fits.
// Consumers send what they own along, which a restart changes: their topics count. What members of
// other protocol types want nobody here can tell; theirs is Kafka's rule, that the choice of the
// protocol stays the same.
bool WantsTheSame(const std::string& protocol_type, const std::string& before,
                  const std::string& after) {
  if (protocol_type != kConsumerProtocolType || before == after) return true;
  auto old_topics = SubscribedTopicsIn(before);
  auto new_topics = SubscribedTopicsIn(after);
  if (!old_topics || !new_topics) return false;
  std::sort(old_topics->begin(), old_topics->end());
  std::sort(new_topics->begin(), new_topics->end());
  return old_topics == new_topics;
}

// Whether the member has yet to give up some of what it said it owned, and then to join again, so
// that others get it (KIP-429). Nobody else would.
bool OwesARebalance(const std::string& protocol_type, const std::string& metadata,
                    const std::string& assignment) {
  if (protocol_type != kConsumerProtocolType) return false;
  const auto owned = OwnedPartitionsIn(metadata);
  const auto assigned = AssignedPartitionsIn(assignment);
  if (!owned || !assigned) return false;
  absl::btree_set<std::pair<std::string, int32_t>> kept;
  for (const auto& [topic, partitions] : *assigned) {
    for (const int32_t index : partitions) kept.emplace(topic, index);
  }
  return std::any_of(owned->begin(), owned->end(), [&kept](const auto& item) {
    return std::any_of(item.second.begin(), item.second.end(),
                       [&](int32_t index) { return !kept.contains({item.first, index}); });
  });
}

}  // namespace

void TakeUp(const ClassicJoinRequest& request, const GroupCoordinatorOptions& options,
            LiveClassicMember& member) {
  member.client_id = Shortened(request.client_id, options.name_bytes_max);
  member.client_host = Shortened(request.client_host, options.name_bytes_max);
  member.session_timeout_ms = request.session_timeout_ms;
  member.rebalance_timeout_ms =
      request.rebalance_timeout_ms > 0 ? request.rebalance_timeout_ms : request.session_timeout_ms;
  member.protocols = request.protocols;
}

ClassicJoinAnswer JoinedAnswer(const ClassicGroup& group, const std::string& member_id) {
  ClassicJoinAnswer answer;
  answer.generation = group.generation;
  answer.protocol_type = group.protocol_type;
  answer.protocol = group.protocol;
  answer.leader = group.leader;
  answer.member_id = member_id;
  if (group.leader == member_id) answer.members = group.MembersForLeader();
  return answer;
}

void ClassicGroups::RefuseJoin(uint64_t token, const ClassicJoinRequest& request, ErrorCode error) {
  ClassicJoinAnswer answer;
  answer.error = error;
  answer.member_id = request.member_id;
  Reply(token, std::move(answer));
}

std::string ClassicGroups::MakeMemberId(const ClassicJoinRequest& request) {
  const std::string& name = request.instance_id.empty() ? request.client_id : request.instance_id;
  return absl::StrCat(Shortened(name, kMemberIdPrefixBytesMax), "-",
                      absl::Hex(options_.incarnation, absl::kZeroPad8), "-",
                      absl::Hex(++member_ids_made_, absl::kZeroPad8));
}

ErrorCode ClassicGroups::CheckRoom(const ClassicGroup& group,
                                   const ClassicJoinRequest& request) const {
  std::string member_id = group.MemberOfInstance(request.instance_id);
  if (member_id.empty()) member_id = request.member_id;
  const LiveClassicMember* member = group.Find(member_id);
  bool has_room = true;
  if (group.state == ClassicGroupState::kPreparingRebalance) {
    // Who has joined is counted: of a group that is too large the last to come are left out.
    has_room = (member != nullptr && member->join_token) ||
               group.AwaitingJoin() < options_.classic_members_per_group_max;
  } else if (group.state != ClassicGroupState::kEmpty) {
    has_room = member != nullptr || group.members.size() < options_.classic_members_per_group_max;
  }
  size_t bytes = group.MetadataBytes(member_id);
  for (const ClassicProtocol& protocol : request.protocols) bytes += protocol.metadata.size();
  has_room = has_room && bytes <= options_.classic_group_bytes_max;
  return has_room ? ErrorCode::kNone : ErrorCode::kGroupMaxSizeReached;
}

void ClassicGroups::Join(uint64_t token, const ClassicJoinRequest& request, int32_t generation,
                         Instant now) {
  ClassicGroup* group = FindLive(request.group_id);
  if (group == nullptr) {
    if (!request.member_id.empty()) {
      RefuseJoin(token, request, ErrorCode::kUnknownMemberId);
      return;
    }
    group = &groups_[request.group_id];
    group->id = request.group_id;
    group->generation = generation;
  }
  if (const ErrorCode error = CheckRoom(*group, request); error != ErrorCode::kNone) {
    if (group->Find(request.member_id) != nullptr) {
      RemoveMember(*group, request.member_id);
      AfterRemoval(*group, now);
    }
    RefuseJoin(token, request, error);
  } else if (!group->Supports(request.protocol_type, request.protocols)) {
    RefuseJoin(token, request, ErrorCode::kInconsistentGroupProtocol);
  } else if (request.member_id.empty()) {
    JoinNew(token, request, *group, now);
  } else {
    JoinAgain(token, request, *group, now);
  }
  ForgetVoid(request.group_id);
  Recount(request.group_id);
}

void ClassicGroups::JoinNew(uint64_t token, const ClassicJoinRequest& request, ClassicGroup& group,
                            Instant now) {
  const std::string former = group.MemberOfInstance(request.instance_id);
  if (!former.empty()) {
    JoinInPlace(token, request, former, group, now);
    return;
  }
  std::string member_id = MakeMemberId(request);
  // An instance id is known already.
  if (!request.require_known_member_id || !request.instance_id.empty()) {
    AddMember(token, request, member_id, group, now);
    return;
  }
  if (group.pending_members.size() >= options_.classic_pending_members_per_group_max) {
    RefuseJoin(token, request, ErrorCode::kGroupMaxSizeReached);
    return;
  }
  group.AddPending(member_id);
  StartSession(group.id, member_id, request.session_timeout_ms, now);
  ClassicJoinAnswer answer;
  answer.error = ErrorCode::kMemberIdRequired;
  answer.member_id = std::move(member_id);
  Reply(token, std::move(answer));
}

void ClassicGroups::JoinAgain(uint64_t token, const ClassicJoinRequest& request,
                              ClassicGroup& group, Instant now) {
  const std::string& member_id = request.member_id;
  // Only dynamic members are told an id before they join.
  if (group.pending_members.contains(member_id) && request.instance_id.empty()) {
    AddMember(token, request, member_id, group, now);
    return;
  }
  const ErrorCode error = group.CheckMember(member_id, request.instance_id);
  if (error != ErrorCode::kNone) {
    RefuseJoin(token, request, error);
    return;
  }
  LiveClassicMember& member = *group.Find(member_id);
  const bool as_before = member.protocols == request.protocols;
  // An answer that was lost is given again. Not so to the leader of a settled group: it joins again
  // because it saw something that the metadata do not show, such as new partitions.
  const bool again =
      (group.state == ClassicGroupState::kCompletingRebalance && as_before) ||
      (group.state == ClassicGroupState::kStable && as_before && group.leader != member_id);
  if (again) {
    AnswerSuperseded(member, ErrorCode::kRebalanceInProgress);
    if (group.state == ClassicGroupState::kCompletingRebalance) {
      group.pending_syncs.insert(member_id);
    }
    StartSession(group.id, member_id, member.session_timeout_ms, now);
    if (!member.instance_id.empty()) {
      told_.insert(group.id);
      if_written_.insert(token);
    }
    Reply(token, JoinedAnswer(group, member_id));
    return;
  }
  UpdateMember(token, request, member_id, group);
  Rebalance(group, now);
}

void ClassicGroups::JoinInPlace(uint64_t token, const ClassicJoinRequest& request,
                                const std::string& former, ClassicGroup& group, Instant now) {
  const std::string member_id = MakeMemberId(request);
  if (group.state == ClassicGroupState::kStable) {
    Staged staged;
    staged.next = group;
    const LiveClassicMember& member = staged.next.Rename(former, member_id);
    staged.next.Alter(member_id, [&](LiveClassicMember& it) { TakeUp(request, options_, it); });
    const LiveClassicMember& before = *group.Find(former);
    const std::string& said = MetadataFor(before, group.protocol);
    const bool same =
        staged.next.SelectProtocol() == group.protocol &&
        WantsTheSame(group.protocol_type, said, MetadataFor(member, group.protocol)) &&
        !OwesARebalance(group.protocol_type, said, before.assignment);
    if (same) {
      ClassicJoinAnswer answer = JoinedAnswer(staged.next, member_id);
      answer.skip_assignment = request.supports_skip_assignment && group.leader == former;
      if (!answer.skip_assignment) {
        // It would assign anew if it knew that it leads.
        answer.leader = group.leader;
        answer.members.clear();
      }
      ClassicReply& reply = staged.replies.emplace_back();
      reply.token = token;
      reply.answer = std::move(answer);
      staged.heard.push_back(member_id);
      staged.refused.token = token;
      staged_ = std::move(staged);
      return;
    }
  }
  AnswerSuperseded(*group.Find(former), ErrorCode::kFencedInstanceId);
  timers_.ClearAll({group.id, former});
  group.Rename(former, member_id);
  UpdateMember(token, request, member_id, group);
  Rebalance(group, now);
}

void ClassicGroups::AddMember(uint64_t token, const ClassicJoinRequest& request,
                              const std::string& member_id, ClassicGroup& group, Instant now) {
  if (group.members.empty()) group.protocol_type = request.protocol_type;
  LiveClassicMember member;
  member.instance_id = request.instance_id;
  TakeUp(request, options_, member);
  member.join_token = token;
  member.is_new = true;
  group.Add(member_id, std::move(member));
  if (group.is_initial) group.new_member_added = true;
  StartSession(group.id, member_id, options_.classic_new_member_timeout_ms, now);
  Rebalance(group, now);
}

void ClassicGroups::UpdateMember(uint64_t token, const ClassicJoinRequest& request,
                                 const std::string& member_id, ClassicGroup& group) {
  LiveClassicMember& member = *group.Find(member_id);
  AnswerSuperseded(member, ErrorCode::kRebalanceInProgress);
  group.Alter(member_id, [&](LiveClassicMember& it) { TakeUp(request, options_, it); });
  member.join_token = token;
  if (!member.is_new) timers_.ClearAll({group.id, member_id});
}

}  // namespace quipu
