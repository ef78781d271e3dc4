// The configuration of the metrics endpoint, the same for brokers and controllers.
#pragma once

#include <cstdint>
#include <string>

#include "base/config/config_reader.h"
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

// From a table that has the keys (kMetricsListenerKey and its like). `of_broker`: those of brokers
// alone too.
MetricsSettings ReadMetricsSettings(ConfigReader& reader, bool of_broker);
// Refuses a listener beyond this machine without quipu.unsafe.plaintext.network.
void CheckMetricsListener(ConfigReader& reader, const MetricsSettings& settings,
                          bool unsafe_plaintext_network);

}  // namespace quipu
