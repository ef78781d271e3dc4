// Changes of settings, as AlterConfigs and IncrementalAlterConfigs have them in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/kafka/admin_calls.h"
#include "core/kafka/admin/incremental_alter_configs.h"
#include "core/kafka/shared_structs.h"

namespace quipu::kafka {

// How a client's changes begin: what is refused at once has its answer, the rest is to be asked
// for.
struct PlannedChanges {
  std::vector<AlteredResource> responses;  // one for each resource that is named
  std::vector<AdminCall> asked;            // for places in `responses`
};

// `replace`: what a resource has and the request does not name is removed. A resource that is there
// twice is refused.
PlannedChanges PlanChanges(std::vector<IncrementalAlterConfigsRequest::Resource> resources,
                           bool replace, bool validate_only);

}  // namespace quipu::kafka
