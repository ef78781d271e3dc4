// A broker's metrics endpoint: asks the shards, keeps an eye on the lag of groups, tells
// Prometheus.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "broker/broker_node.h"
#include "broker/metrics/lag_tracker.h"
#include "broker/process/broker_settings.h"
#include "broker/process/process_ports.h"
#include "runtime/metrics/gatherer.h"
#include "runtime/metrics/metrics_server.h"
#include "runtime/shard_thread.h"
#include "storage/wal_writer.h"

namespace quipu {

class BrokerMetrics {
 public:
  struct Sources {
    const BrokerNode& node;
    const ProcessPorts& ports;
    const WalWriter& writer;
  };
  // Listens at settings.metrics and begins to look at the lag. The sources must outlive it, and the
  // node must have started. Errors of MetricsServer::Start.
  static absl::StatusOr<std::unique_ptr<BrokerMetrics>> Start(const BrokerSettings& settings,
                                                              Sources sources);
  // Ends the endpoint and the looks.
  ~BrokerMetrics();
  BrokerMetrics(const BrokerMetrics&) = delete;
  BrokerMetrics& operator=(const BrokerMetrics&) = delete;

  [[nodiscard]] uint16_t port() const { return server_->port(); }

 private:
  using Gathered = Gatherer<ShardMetrics>::Result;
  using Ends = absl::btree_map<TopicPartition, Offset>;

  BrokerMetrics(const BrokerSettings& settings, Sources sources);
  // Both wait at most metrics.scrape.timeout.ms for the shards. Any thread.
  MetricSet Collect();
  void Look();
  void ScheduleLook();

  Gathered Gather();
  void AddShards(const Gathered& shards, const BrokerMetricsState& state, MetricSet& out) const;
  void AddTopics(const Gathered& shards, const MetadataImage* image, MetricSet& out) const;
  // Returns how many partitions were left out.
  size_t AddPartitions(const Gathered& shards, const MetadataImage* image, MetricSet& out) const;
  size_t AddGroups(const Gathered& shards, const MetadataImage* image, Instant now,
                   MetricSet& out) const;
  void AddGroup(const GroupMetrics& group, const Ends& ends, const MetadataImage* image,
                Instant now, MetricSet& out) const;
  void AddLog(MetricSet& out) const;
  // High watermarks of all replicas here.
  static Ends EndsOf(const Gathered& shards);

  const BrokerSettings settings_;
  const Sources sources_;
  std::mutex mutex_;                 // one scrape or look at a time
  Gatherer<ShardMetrics> gatherer_;  // under mutex_
  LagTracker lag_;                   // under mutex_
  ShardThread looks_{"metrics"};
  std::unique_ptr<MetricsServer> server_;
};

}  // namespace quipu
