// IncrementalAlterConfigs: settings of topics, of a broker and of the whole cluster, one by one.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/config_changes.h"

namespace quipu::kafka {

absl::Status HandleIncrementalAlterConfigs(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(IncrementalAlterConfigsRequest request,
                         call->Decode<IncrementalAlterConfigsRequest>());
  PlannedChanges plan = PlanChanges(std::move(request.resources), false, request.validate_only);
  AskControllers(
      context.node, call, IncrementalAlterConfigsResponse{.responses = std::move(plan.responses)},
      std::move(plan.asked),
      [](IncrementalAlterConfigsResponse& all, size_t place, const message::AdminResponse& result) {
        SetOutcome(result, all.responses[place]);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
