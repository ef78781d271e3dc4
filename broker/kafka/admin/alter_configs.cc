// AlterConfigs: a resource has what is named, and of the rest the defaults. Newer clients use
// IncrementalAlterConfigs (KIP-339).
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/config_changes.h"
#include "core/kafka/admin/alter_configs.h"

namespace quipu::kafka {

absl::Status HandleAlterConfigs(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(AlterConfigsRequest request, call->Decode<AlterConfigsRequest>());
  std::vector<IncrementalAlterConfigsRequest::Resource> resources;
  for (AlterConfigsRequest::Resource& resource : request.resources) {
    auto& out = resources.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = std::move(resource.resource_name);
    for (AlterConfigsRequest::Config& config : resource.configs) {
      out.configs.push_back({.name = std::move(config.name), .value = std::move(config.value)});
    }
  }
  PlannedChanges plan = PlanChanges(std::move(resources), true, request.validate_only);
  AskControllers(context.node, call, AlterConfigsResponse{.responses = std::move(plan.responses)},
                 std::move(plan.asked),
                 [](AlterConfigsResponse& all, size_t place, const message::AdminResponse& result) {
                   SetOutcome(result, all.responses[place]);
                 });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
