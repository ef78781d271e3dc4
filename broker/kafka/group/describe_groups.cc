// DescribeGroups: state and members. A group that is not there is "Dead", from version 6 on an
// error (KIP-1043).
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/authorized_operations.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/describe_groups.h"

namespace quipu::kafka {
namespace {

constexpr int16_t kNotFoundSince = 6;

DescribeGroupsResponse::Group Described(const std::string& group_id, int16_t version,
                                        bool with_operations,
                                        const message::DescribeGroupResponse& result) {
  DescribeGroupsResponse::Group group{.error_code = GroupError(ErrorOf(result.error_code())),
                                      .group_id = group_id};
  if (group.error_code == ErrorCode::kGroupIdNotFound) {
    group.group_state = "Dead";
    if (version < kNotFoundSince) group.error_code = ErrorCode::kNone;
  }
  if (!result.error_message().empty()) group.error_message = result.error_message();
  if (with_operations && group.error_code == ErrorCode::kNone) {
    group.authorized_operations = kGroupOperations;
  }
  if (result.error_code() != 0) return group;
  group.group_state = result.state();
  group.protocol_type = result.protocol_type();
  group.protocol_data = result.assignor();
  for (const auto& member : result.members()) {
    auto& out = group.members.emplace_back();
    out.member_id = member.member_id();
    if (!member.instance_id().empty()) out.group_instance_id = member.instance_id();
    out.client_id = member.client_id();
    out.client_host = member.client_host();
    out.member_metadata = Bytes(member.classic_metadata());
    out.member_assignment = Bytes(member.classic_assignment());
  }
  return group;
}

}  // namespace

absl::Status HandleDescribeGroups(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(DescribeGroupsRequest request, call->Decode<DescribeGroupsRequest>());
  const std::vector<std::string> names = Unique(std::move(request.groups));
  DescribeGroupsResponse response;
  response.groups.resize(names.size());
  const auto gather = Gather<DescribeGroupsResponse>::Make(
      std::move(response), names.size(),
      [call](const DescribeGroupsResponse& all) { call->Answer(all); });
  for (size_t i = 0; i < names.size(); ++i) {
    message::DescribeGroupRequest asked;
    asked.set_group_id(names[i]);
    context.node.DescribeGroup(
        std::move(asked), [gather, i, group_id = names[i], version = call->version(),
                           with_operations = request.include_authorized_operations](
                              const message::DescribeGroupResponse& result) {
          gather->Complete([&](DescribeGroupsResponse& all) {
            all.groups[i] = Described(group_id, version, with_operations, result);
          });
        });
  }
  return absl::OkStatus();
}

}  // namespace quipu::kafka
