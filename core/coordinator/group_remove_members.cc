// GroupCoordinatorCore: static members are taken out on request.
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"

namespace quipu {

GroupResult<message::RemoveMembersResponse> GroupCoordinatorCore::RemoveStaticMembers(
    const message::RemoveMembersRequest& request, Now now, const GroupTopicView& topics) {
  clock_ = now;
  GroupResult<message::RemoveMembersResponse> result;
  ErrorCode error = ValidateRemoveMembers(request, options_);
  const GroupState* group = FindGroup(request.group_id());
  if (error == ErrorCode::kNone && group == nullptr) error = ErrorCode::kGroupIdNotFound;
  const ClassicGroup* classic = classic_.Find(request.group_id());
  const bool of_classic = classic != nullptr && !classic->members.empty();
  if (error == ErrorCode::kNone && of_classic) error = ErrorCode::kInconsistentGroupProtocol;
  result.response.set_error_code(static_cast<int32_t>(error));
  if (error != ErrorCode::kNone) {
    result.response.set_error_message(
        of_classic ? "members of a classic group leave by LeaveGroup, or when their session ends"
                   : std::string(ErrorDescription(error)));
    return result;
  }
  absl::btree_set<std::string> seen;
  std::vector<std::string> member_ids;
  for (const std::string& instance_id : request.instance_ids()) {
    if (!seen.insert(instance_id).second) continue;
    const GroupMember* holder = FindInstance(group->membership, instance_id);
    message::RemoveMembersResponse::Member* out = result.response.add_members();
    out->set_instance_id(instance_id);
    if (holder == nullptr) {
      out->set_error_code(static_cast<int32_t>(ErrorCode::kUnknownMemberId));
      continue;
    }
    out->set_member_id(holder->member_id);
    member_ids.push_back(holder->member_id);
  }
  if (!member_ids.empty()) RemoveMembers(request.group_id(), member_ids, topics, result.records);
  return result;
}

}  // namespace quipu
