// Heartbeat: a member of a classic group is alive, and hears whether the group changes.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/heartbeat.h"

namespace quipu::kafka {

absl::Status HandleHeartbeat(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(HeartbeatRequest request, call->Decode<HeartbeatRequest>());
  ClassicHeartbeatRequest asked{.group_id = std::move(request.group_id),
                                .member_id = std::move(request.member_id),
                                .instance_id = std::move(request.group_instance_id).value_or(""),
                                .generation = request.generation_id};
  context.node.ClassicHeartbeat(std::move(asked), [call](const ClassicHeartbeatAnswer& answer) {
    call->Answer(HeartbeatResponse{.error_code = GroupError(answer.error)});
  });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
