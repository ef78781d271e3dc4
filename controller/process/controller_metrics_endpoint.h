// A controller's metrics endpoint: asks the executor, tells Prometheus.
#pragma once

#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "controller/controller_node.h"
#include "controller/process/controller_settings.h"
#include "controller/process/process_ports.h"
#include "runtime/metrics/gatherer.h"
#include "runtime/metrics/metrics_server.h"
#include "runtime/refusals.h"
#include "storage/data_directory.h"

namespace quipu {

class ControllerMetricsEndpoint {
 public:
  struct Sources {
    const ControllerNode& node;
    const ControllerProcessPorts& ports;
    const DataDirectory& directory;
    const Refusals& refusals;
  };
  // Listens at settings.metrics. The sources must outlive it, and the node must have started.
  // Errors of MetricsServer::Start.
  static absl::StatusOr<std::unique_ptr<ControllerMetricsEndpoint>> Start(
      const ControllerSettings& settings, Sources sources);

  [[nodiscard]] uint16_t port() const { return server_->port(); }

 private:
  ControllerMetricsEndpoint(const ControllerSettings& settings, Sources sources)
      : settings_(settings), sources_(sources), gatherer_(1) {}
  // Waits at most metrics.scrape.timeout.ms for the executor. Any thread.
  MetricSet Collect();
  // Returns how many partitions were left out.
  size_t AddCluster(const MetadataImage& image, MetricSet& out) const;
  size_t AddPartitions(const MetadataImage& image, MetricSet& out) const;

  const ControllerSettings settings_;
  const Sources sources_;
  std::mutex mutex_;                      // one scrape at a time
  Gatherer<ControllerMetrics> gatherer_;  // under mutex_
  std::unique_ptr<MetricsServer> server_;
};

}  // namespace quipu
