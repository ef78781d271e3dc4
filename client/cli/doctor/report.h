// What `quipu doctor` prints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/cli/doctor/judge.h"

namespace quipu::cli {

// "broker 2: address" of each finding that fails.
std::vector<std::string> FailedChecks(const std::vector<Finding>& findings);

// One line for each finding, below it what to do, and at the end which failed.
std::string DoctorText(const std::vector<Finding>& findings);

// The same with the facts behind it: `healthy`, `failed`, `findings`, `advertised` (what a client
// is told), `nodes`. `version`: of this program.
nlohmann::ordered_json DoctorJson(const DoctorFacts& facts, const std::vector<Finding>& findings,
                                  const std::string& version);

// The settings of a node as it has read them: key, value, type, default, source, origin,
// needs_restart, ...
nlohmann::ordered_json StaticConfigsJson(const message::DescribeNodeResponse& node);

}  // namespace quipu::cli
