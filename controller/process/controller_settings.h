// A controller's configuration: file, environment and flags. The keys:
// base/config/controller_keys.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/config/config_reader.h"
#include "base/logging.h"
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
  LogOptions log;                                       // log.level, log.format, ...

  std::vector<ConfigValue> effective;   // every key, with the place that its value comes from
  std::vector<ConfigWarning> warnings;  // allowed, and most likely a mistake
};

// Reads `file` (empty: none), `environment` ("NAME=value") and `assignments` ("key=value"); a later
// one wins. kInvalidConfig with everything that is wrong: place, key, value and what was expected.
absl::StatusOr<ControllerSettings> LoadControllerSettings(
    const std::string& file, const std::vector<std::string>& assignments,
    const std::vector<std::string>& environment = {});

}  // namespace quipu
