// A broker's metrics endpoint: asks the shards, keeps an eye on the lag of groups and on the sizes
// of logs, tells Prometheus.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "broker/broker_node.h"
#include "broker/kafka/kafka_listener.h"
#include "broker/metrics/lag_tracker.h"
#include "broker/metrics/log_sizes.h"
#include "broker/process/broker_settings.h"
#include "broker/process/leader_asker.h"
#include "broker/process/process_ports.h"
#include "runtime/metrics/gatherer.h"
#include "runtime/metrics/metrics_server.h"
#include "runtime/refusals.h"
#include "runtime/shard_thread.h"
#include "storage/rocksdb/open_storage.h"

namespace quipu {

class BrokerMetrics {
 public:
  struct Sources {
    const BrokerNode& node;
    const ProcessPorts& ports;
    const BrokerStorage& storage;
    const Refusals& refusals;           // of all listeners
    const kafka::KafkaListener* kafka;  // nullptr: there is none
    const StreamListener& peers;
  };
  // Listens at settings.metrics and begins to look at lags and sizes. The sources must outlive it,
  // and the node must have started. Errors of MetricsServer::Start.
  static absl::StatusOr<std::unique_ptr<BrokerMetrics>> Start(const BrokerSettings& settings,
                                                              Sources sources);
  // Ends the endpoint and the looks.
  ~BrokerMetrics();
  BrokerMetrics(const BrokerMetrics&) = delete;
  BrokerMetrics& operator=(const BrokerMetrics&) = delete;

  [[nodiscard]] uint16_t port() const { return server_->port(); }

 private:
  using Gathered = Gatherer<ShardMetrics>::Result;
  using Ends = LeaderEnds::Ends;

  BrokerMetrics(const BrokerSettings& settings, Sources sources);
  // Waits at most metrics.scrape.timeout.ms for the shards, as the looks do. Any thread.
  MetricSet Collect();
  // Each metrics.lag.interval.ms, on a thread of their own: first other brokers are asked for ends
  // of logs, and a little later what is known by then is looked at.
  void ScheduleLooks();
  void Look();
  void LookAtGroups(const Gathered& shards, const MetadataImage* image);

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
  void AddJournal(MetricSet& out) const;
  void AddKafka(MetricSet& out) const;
  // Of all calls; with what is usual from the start.
  [[nodiscard]] Refusals::Counts RefusalCounts() const;
  // High watermarks of the replicas here that are in sync.
  [[nodiscard]] Ends EndsHere(const Gathered& shards, const MetadataImage* image) const;
  // nullptr: a topic that is gone, or not known yet.
  static const std::string* TopicName(const MetadataImage* image, const TopicId& topic);

  const BrokerSettings settings_;
  const Sources sources_;
  std::mutex mutex_;                 // one scrape or look at a time
  Gatherer<ShardMetrics> gatherer_;  // under mutex_
  LagTracker lag_;                   // under mutex_
  LogSizes sizes_;                   // under mutex_
  LeaderAsker leaders_;
  // Partitions with committed offsets and without a replica in sync here, as of the last look. Of
  // the thread of the looks.
  absl::btree_set<TopicPartition> elsewhere_;
  ShardThread looks_{"metrics"};
  std::unique_ptr<MetricsServer> server_;
};

}  // namespace quipu
