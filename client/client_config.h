// Settings of the SDK by their Kafka names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/config/config_spec.h"
#include "base/time.h"
#include "client/config_map.h"
#include "core/client/consumer_options.h"
#include "core/client/producer_core.h"

namespace quipu {

// Everything below refuses with kInvalidConfig, all that is wrong at once: an unknown key (naming
// the nearest known one), a missing required key, a value that does not parse or is out of range
// (naming the range). The keys with their defaults: ConfigTableOf, base/config/config_tables.h.

struct ProducerSettings {
  ProducerOptions core;
  Duration max_block = std::chrono::seconds(60);  // max.block.ms
  Duration statistics_interval = Duration(0);     // statistics.interval.ms; 0: never
};
struct ConsumerSettings {
  ConsumerOptions core;
  Duration default_api_timeout = std::chrono::seconds(60);  // default.api.timeout.ms
  bool auto_commit = false;                                 // enable.auto.commit
  Duration auto_commit_interval = std::chrono::seconds(5);  // auto.commit.interval.ms
  Duration statistics_interval = Duration(0);               // statistics.interval.ms; 0: never
};
struct AdminSettings {
  std::vector<ServerAddress> bootstrap_servers;
  Duration request_timeout = std::chrono::seconds(5);       // request.timeout.ms
  Duration default_api_timeout = std::chrono::seconds(30);  // default.api.timeout.ms
};

absl::StatusOr<ProducerSettings> ParseProducerConfig(const ConfigMap& config);
absl::StatusOr<ConsumerSettings> ParseConsumerConfig(const ConfigMap& config);
absl::StatusOr<AdminSettings> ParseAdminConfig(const ConfigMap& config);

// Those of `settings` that the table has.
ConfigMap SettingsFor(const ConfigMap& settings, ConfigTable keys);

// "host:port,host:port". kInvalidConfig names the part that is not such an address.
absl::StatusOr<std::vector<ServerAddress>> ParseServerList(absl::string_view text);

}  // namespace quipu
