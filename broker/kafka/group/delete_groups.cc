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
  Gather<DeleteGroupsResponse>::Run(
      std::move(response), names.size(), kAskedAtOnceMax,
      [&node = context.node, names](const auto& gather, size_t i) {
        message::DeleteGroupRequest asked;
        asked.set_group_id(names[i]);
        node.DeleteGroup(std::move(asked), [gather, i](const message::DeleteGroupResponse& result) {
          gather->Complete([&](DeleteGroupsResponse& all) {
            all.results[i].error_code = GroupError(ErrorOf(result.error_code()));
          });
        });
      },
      [call](const DeleteGroupsResponse& all) { call->Answer(all); });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
