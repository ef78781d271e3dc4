// The configuration of the metrics endpoint, the same for brokers and controllers.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/config.h"
#include "base/time.h"

namespace quipu {

struct MetricsSettings {
  std::string host;  // metrics.listener; empty: none
  uint16_t port = 0;
  size_t partitions_max = 20000;                              // metrics.partitions.max
  Duration scrape_timeout = std::chrono::milliseconds(1000);  // metrics.scrape.timeout.ms
  Duration lag_interval = std::chrono::milliseconds(5000);    // metrics.lag.interval.ms, brokers
  [[nodiscard]] bool on() const { return !host.empty(); }
};

// Adds the keys; `settings` must outlive the loading. `of_broker`: those of brokers alone too.
void AddMetricsKeys(ConfigKeys& keys, MetricsSettings& settings, bool of_broker);
// kInvalidConfig for a listener beyond this machine without quipu.unsafe.plaintext.network.
absl::Status CheckMetricsListener(const MetricsSettings& settings, bool unsafe_plaintext_network);

}  // namespace quipu
