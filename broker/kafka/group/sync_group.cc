// SyncGroup: the leader brings the assignment, everybody gets a part of it.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/sync_group.h"

namespace quipu::kafka {

absl::Status HandleSyncGroup(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(SyncGroupRequest request, call->Decode<SyncGroupRequest>());
  ClassicSyncRequest asked{.group_id = std::move(request.group_id),
                           .member_id = std::move(request.member_id),
                           .instance_id = std::move(request.group_instance_id).value_or(""),
                           .generation = request.generation_id,
                           .protocol_type = std::move(request.protocol_type).value_or(""),
                           .protocol = std::move(request.protocol_name).value_or(""),
                           .assignments = {}};
  for (SyncGroupRequest::Assignment& assignment : request.assignments) {
    asked.assignments.emplace_back(std::move(assignment.member_id),
                                   assignment.assignment.ToString());
  }
  context.node.SyncGroup(std::move(asked), [call](ClassicSyncAnswer answer) {
    SyncGroupResponse response{.error_code = GroupError(answer.error)};
    if (answer.error == ErrorCode::kNone) {
      response.protocol_type = std::move(answer.protocol_type);
      response.protocol_name = std::move(answer.protocol);
      response.assignment = Bytes(std::move(answer.assignment));
    }
    call->Answer(response);
  });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
