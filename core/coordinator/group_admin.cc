// GroupCoordinatorCore: groups are listed, described and deleted.
#include <algorithm>
#include <string>
#include <utility>

#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/classic/named_partitions.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/rebalance.h"
#include "core/request/wire_format.h"

namespace quipu {
namespace {

constexpr char kConsumerKind[] = "consumer";
constexpr char kClassicKind[] = "classic";

const char* StateName(const GroupMembership& membership) {
  if (membership.members.empty()) return "Empty";
  const bool settled =
      std::all_of(membership.members.begin(), membership.members.end(),
                  [&membership](const auto& item) { return IsSettled(membership, item.second); });
  return settled ? "Stable" : "Reconciling";
}

}  // namespace

GroupResult<message::ListGroupsResponse> GroupCoordinatorCore::List() const {
  GroupResult<message::ListGroupsResponse> result;
  ForEachGroup(
      [&](const std::string& group_id, const char* kind, const char* state, size_t members) {
        message::ListGroupsResponse::Group* out = result.response.add_groups();
        out->set_group_id(group_id);
        out->set_kind(kind);
        out->set_state(state);
        out->set_members(static_cast<int32_t>(members));
        out->set_coordinator(options_.broker_id.value());
        const ClassicGroup* classic = classic_.Find(group_id);
        if (absl::string_view(kind) == kConsumerKind) {
          out->set_protocol_type(kConsumerProtocolType);
        } else if (classic != nullptr) {
          out->set_protocol_type(classic->protocol_type);
        }
      });
  return result;
}

const char* GroupCoordinatorCore::KindOf(const GroupState* group, const ClassicGroup* classic) {
  if (classic != nullptr && !classic->members.empty()) return kClassicKind;
  if (group == nullptr) return kClassicKind;
  if (!group->membership.members.empty()) return kConsumerKind;
  const bool was_consumer =
      group->classic.protocol_type.empty() && group->membership.epoch > GroupEpoch(0);
  return was_consumer ? kConsumerKind : kClassicKind;
}

const char* GroupCoordinatorCore::StateOf(const GroupState* group, const ClassicGroup* classic) {
  if (group != nullptr && !group->membership.members.empty()) return StateName(group->membership);
  return ClassicStateName(classic != nullptr ? classic->state : ClassicGroupState::kEmpty);
}

void GroupCoordinatorCore::DescribeClassic(const ClassicGroup& group, const GroupTopicView& topics,
                                           message::DescribeGroupResponse& response) const {
  response.set_group_epoch(group.generation);
  response.set_assignor(group.protocol);
  response.set_protocol_type(group.protocol_type);
  for (const auto& [member_id, member] : group.members) {
    message::DescribeGroupResponse::Member* out = response.add_members();
    out->set_member_id(member_id);
    out->set_client_id(member.client_id);
    out->set_client_host(member.client_host);
    out->set_member_epoch(group.generation);
    out->set_instance_id(member.instance_id);
    out->set_session_timeout_ms(member.session_timeout_ms);
    // As in Kafka: before that the one may be without an answer and the other is of the past.
    if (group.state != ClassicGroupState::kStable) continue;
    const std::string& metadata = MetadataFor(member, group.protocol);
    out->set_classic_metadata(metadata);
    out->set_classic_assignment(member.assignment);
    if (group.protocol_type != kConsumerProtocolType) continue;
    for (const std::string& topic : SubscribedTopicsIn(metadata).value_or(TopicNames())) {
      if (IsUtf8(topic)) out->add_subscribed_topics(topic);
    }
    const auto assigned = AssignedPartitionsIn(member.assignment);
    if (assigned) ToProto(ToIds(*assigned, topics), out->mutable_assignment());
  }
}

GroupResult<message::DescribeGroupResponse> GroupCoordinatorCore::Describe(
    const message::DescribeGroupRequest& request, const GroupTopicView& topics) const {
  GroupResult<message::DescribeGroupResponse> result;
  message::DescribeGroupResponse& response = result.response;
  response.set_group_id(request.group_id());
  response.set_coordinator(options_.broker_id.value());
  const GroupState* group = FindGroup(request.group_id());
  const ClassicGroup* classic = classic_.Find(request.group_id());
  if (group == nullptr && classic == nullptr) {
    response.set_error_code(static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
    response.set_error_message(std::string(ErrorDescription(ErrorCode::kGroupIdNotFound)));
    return result;
  }
  response.set_kind(KindOf(group, classic));
  response.set_state(StateOf(group, classic));
  if (classic != nullptr && response.kind() == kClassicKind) {
    DescribeClassic(*classic, topics, response);
    return result;
  }
  response.set_protocol_type(response.kind() == kConsumerKind ? kConsumerProtocolType : "");
  response.set_group_epoch(group->membership.epoch.value());
  response.set_assignor(group->membership.assignor);
  for (const auto& [member_id, member] : group->membership.members) {
    message::DescribeGroupResponse::Member* out = response.add_members();
    out->set_member_id(member_id);
    out->set_client_id(member.client_id);
    out->set_client_host(member.client_host);
    out->set_member_epoch(member.epoch.value());
    out->set_instance_id(member.instance_id);
    out->set_assignor(member.assignor);
    out->set_session_timeout_ms(member.session_timeout_ms);
    for (const std::string& topic : member.subscribed_topics) out->add_subscribed_topics(topic);
    const TopicPartitions assigned = PartitionsOf(member.assigned);
    ToProto(assigned, out->mutable_assignment());
    // Kafka's tools read who owns what from these, whichever protocol the member speaks.
    const NamedPartitions named = ToNames(assigned, topics);
    out->set_classic_metadata(
        EncodeSubscription(member.subscribed_topics, named, member.epoch.value()));
    out->set_classic_assignment(EncodeAssignment(named));
  }
  return result;
}

GroupResult<message::DeleteGroupResponse> GroupCoordinatorCore::Delete(
    const message::DeleteGroupRequest& request) const {
  GroupResult<message::DeleteGroupResponse> result;
  ErrorCode error = ErrorCode::kNone;
  const GroupState* group = FindGroup(request.group_id());
  const bool has_members = FindClassic(request.group_id()) != nullptr ||
                           (group != nullptr && !group->membership.members.empty());
  if (has_members) {
    error = ErrorCode::kNonEmptyGroup;
  } else if (group == nullptr) {
    error = ErrorCode::kGroupIdNotFound;
  } else {
    result.records.push_back(GroupRemovedRecord(request.group_id()));
  }
  result.response.set_error_code(static_cast<int32_t>(error));
  if (error != ErrorCode::kNone) {
    result.response.set_error_message(std::string(ErrorDescription(error)));
  }
  return result;
}

}  // namespace quipu
