// JoinGroup: becomes or stays a member of a classic group; answered when the group is complete.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/join_group.h"

namespace quipu::kafka {
namespace {

constexpr int16_t kKnownMemberSince = 4;     // KIP-394
constexpr int16_t kProtocolTypeSince = 7;    // KIP-559: the protocol may be null
constexpr int16_t kSkipAssignmentSince = 9;  // KIP-814

JoinGroupResponse ToResponse(ClassicJoinAnswer answer, int16_t version) {
  JoinGroupResponse response{.error_code = GroupError(answer.error),
                             .generation_id = answer.generation,
                             .leader = std::move(answer.leader),
                             .skip_assignment = answer.skip_assignment,
                             .member_id = std::move(answer.member_id)};
  // Before it may be null, no protocol is an empty one.
  const bool named = answer.error == ErrorCode::kNone || version < kProtocolTypeSince;
  if (named) response.protocol_name = std::move(answer.protocol);
  if (answer.error == ErrorCode::kNone) response.protocol_type = std::move(answer.protocol_type);
  for (ClassicJoinAnswer::Member& member : answer.members) {
    auto& out = response.members.emplace_back();
    out.member_id = std::move(member.member_id);
    if (!member.instance_id.empty()) out.group_instance_id = std::move(member.instance_id);
    out.metadata = Bytes(std::move(member.metadata));
  }
  return response;
}

}  // namespace

absl::Status HandleJoinGroup(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(JoinGroupRequest request, call->Decode<JoinGroupRequest>());
  const int16_t version = call->version();
  ClassicJoinRequest asked{.group_id = std::move(request.group_id),
                           .member_id = std::move(request.member_id),
                           .instance_id = std::move(request.group_instance_id).value_or(""),
                           .client_id = call->client_id(),
                           .client_host = call->client_host(),
                           .protocol_type = std::move(request.protocol_type),
                           .protocols = {},
                           .session_timeout_ms = request.session_timeout_ms,
                           .rebalance_timeout_ms = request.rebalance_timeout_ms,
                           .require_known_member_id = version >= kKnownMemberSince,
                           .supports_skip_assignment = version >= kSkipAssignmentSince};
  for (JoinGroupRequest::Protocol& protocol : request.protocols) {
    asked.protocols.push_back(
        {.name = std::move(protocol.name), .metadata = protocol.metadata.ToString()});
  }
  context.node.JoinGroup(std::move(asked), [call, version](ClassicJoinAnswer answer) {
    call->Answer(ToResponse(std::move(answer), version));
  });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
