// What verbs print with -o json, for `quipu bundle`, which puts it together. Each is defined beside
// its verb.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/admin.h"
#include "client/cli/cli.h"

namespace quipu::cli {

absl::StatusOr<Json> BrokersJson(Admin& admin);  // broker list
absl::StatusOr<Json> TopicsJson(Admin& admin);   // topic describe, of all topics
absl::StatusOr<Json> GroupJson(Admin& admin, const std::string& name);  // group describe
absl::StatusOr<Json> QuorumJson(Admin& admin);                          // controller status
absl::StatusOr<Json> ClusterConfigsJson(Admin& admin);                  // config describe
// config describe --broker, --controller; `at_run_time`: as DescribeConfigs told of that broker.
Json NodeConfigsJson(const message::DescribeNodeResponse& node,
                     const std::vector<message::DynamicConfig>& at_run_time);

}  // namespace quipu::cli
