// LeaveGroup: members go; from version 3 on several at once, static ones by their instance id.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/leave_group.h"

namespace quipu::kafka {
namespace {

constexpr int16_t kSeveralMembersSince = 3;

LeaveGroupResponse ToResponse(const ClassicLeaveAnswer& answer, int16_t version) {
  LeaveGroupResponse response{.error_code = GroupError(answer.error)};
  if (version < kSeveralMembersSince) {
    const bool told = answer.error == ErrorCode::kNone && !answer.members.empty();
    if (told) response.error_code = GroupError(answer.members.front().error);
    return response;
  }
  for (const ClassicLeaveAnswer::Member& member : answer.members) {
    auto& out = response.members.emplace_back();
    out.member_id = member.member_id;
    if (!member.instance_id.empty()) out.group_instance_id = member.instance_id;
    out.error_code = GroupError(member.error);
  }
  return response;
}

}  // namespace

absl::Status HandleLeaveGroup(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(LeaveGroupRequest request, call->Decode<LeaveGroupRequest>());
  const int16_t version = call->version();
  ClassicLeaveRequest asked{.group_id = std::move(request.group_id), .members = {}};
  if (version < kSeveralMembersSince) {
    asked.members.push_back({.member_id = std::move(request.member_id), .instance_id = {}});
  }
  for (LeaveGroupRequest::Member& member : request.members) {
    asked.members.push_back({.member_id = std::move(member.member_id),
                             .instance_id = std::move(member.group_instance_id).value_or("")});
  }
  context.node.LeaveGroup(std::move(asked), [call, version](const ClassicLeaveAnswer& answer) {
    call->Answer(ToResponse(answer, version));
  });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
