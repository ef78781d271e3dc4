// A controller's configuration file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/controller_node.h"
#include "runtime/metrics/metrics_settings.h"

namespace quipu {

// What the program needs beyond ControllerConfig. The identities in `node` and the voters come from
// the formatted directory.
struct ControllerSettings {
  ControllerConfig node;
  std::string log_dir;                  // log.dir
  std::optional<int32_t> node_id;       // node.id: must be the directory's when given
  std::optional<ClusterId> cluster_id;  // cluster.id: likewise
  HostPort listener;                    // listener.controller
  std::string listeners_file;           // listeners.file
  size_t network_memory_bytes_max = size_t{256} << 20;  // quipu.network.memory.bytes.max
  bool unsafe_plaintext_network = false;                // quipu.unsafe.plaintext.network
  MetricsSettings metrics;
};

// Reads `file`, then `assignments` ("key=value"), which win. kInvalidConfig with place, key, value
// and what was expected.
absl::StatusOr<ControllerSettings> LoadControllerSettings(
    const std::string& file, const std::vector<std::string>& assignments);
// All keys with default, range and meaning.
std::string DescribeControllerSettings();

}  // namespace quipu
