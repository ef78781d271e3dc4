// DeleteGroups: empty groups, with what they have committed.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/delete_groups.h"

namespace quipu::kafka {

absl::Status HandleDeleteGroups(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(DeleteGroupsRequest request, call->Decode<DeleteGroupsRequest>());
  const std::vector<std::string> names = Unique(std::move(request.groups_names));
  DeleteGroupsResponse response;
  for (const std::string& group_id : names) {
    response.results.push_back({.group_id = group_id});
  }
  const auto gather = Gather<DeleteGroupsResponse>::Make(
      std::move(response), names.size(),
      [call](const DeleteGroupsResponse& all) { call->Answer(all); });
  for (size_t i = 0; i < names.size(); ++i) {
    message::DeleteGroupRequest asked;
    asked.set_group_id(names[i]);
    context.node.DeleteGroup(
        std::move(asked), [gather, i](const message::DeleteGroupResponse& result) {
          gather->Complete([&](DeleteGroupsResponse& all) {
            all.results[i].error_code = GroupError(ErrorOf(result.error_code()));
          });
        });
  }
  return absl::OkStatus();
}

}  // namespace quipu::kafka
