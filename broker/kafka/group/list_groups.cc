// ListGroups: the groups that this broker coordinates, as in Kafka; clients ask every broker.
#include <utility>

#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/list_groups.h"

namespace quipu::kafka {
namespace {

// KIP-518, KIP-848: no filter lets everything through.
bool Passes(const std::vector<std::string>& filter, const std::string& value) {
  if (filter.empty()) return true;
  for (const std::string& wanted : filter) {
    if (absl::EqualsIgnoreCase(wanted, value)) return true;
  }
  return false;
}

}  // namespace

absl::Status HandleListGroups(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(ListGroupsRequest request, call->Decode<ListGroupsRequest>());
  context.node.ListGroups(
      {}, [call, request = std::move(request)](const message::ListGroupsResponse& result) {
        ListGroupsResponse response{.error_code = GroupError(ErrorOf(result.error_code()))};
        for (const auto& group : result.groups()) {
          if (!Passes(request.states_filter, group.state())) continue;
          if (!Passes(request.types_filter, group.kind())) continue;
          response.groups.push_back({.group_id = group.group_id(),
                                     .protocol_type = group.protocol_type(),
                                     .group_state = group.state(),
                                     .group_type = group.kind()});
        }
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
