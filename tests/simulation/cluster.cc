#include "tests/simulation/cluster.h"

#include <utility>

namespace quipu::sim {

Cluster::Cluster(World& world, ClusterOptions options)
    : world_(world), options_(options), network_(world, options.network) {
  cluster_id_ = Uuid::Random(world.rng());
  std::vector<Voter> voters;
  for (int i = 1; i <= options_.controllers; ++i) {
    voters.push_back(
        Voter{.id = ControllerId(i),
              .directory_id = Uuid::Random(world.rng()),
              .endpoint = HostPort{.host = "controller", .port = static_cast<uint16_t>(i)}});
  }
  for (const Voter& voter : voters) {
    ControllerConfig config;
    config.cluster_id = cluster_id_;
    config.controller_id = voter.id;
    config.directory_id = voter.directory_id;
    config.voters = voters;
    config.broker_session_timeout = options_.broker_session;
    config.broker_heartbeat_interval = options_.broker_session / 6;
    config.disk_stall = options_.disk_stall;
    config.snapshot_entries = static_cast<uint64_t>(options_.snapshot_entries);
    config.snapshot_chunk_bytes = static_cast<size_t>(world.rng().Between(200, 4000));
    controllers_.push_back(std::make_unique<SimController>(*this, std::move(config)));
  }
  for (int i = 1; i <= options_.brokers; ++i) {
    BrokerConfig config;
    config.cluster_id = cluster_id_;
    config.broker_id = BrokerId(i);
    config.directory_id = Uuid::Random(world.rng());
    config.client_endpoint = HostPort{.host = "broker", .port = static_cast<uint16_t>(i)};
    config.peer_endpoint = HostPort{.host = "broker-peer", .port = static_cast<uint16_t>(i)};
    for (const Voter& voter : voters) config.controllers.push_back(voter.endpoint);
    config.num_shards = options_.shards;
    config.disk_stall = options_.disk_stall;
    // So little that readers meet batches that are not in memory any more.
    config.tail_bytes = 2000;
    // Runs are short: everything is read again every few seconds.
    config.scrub_interval = std::chrono::seconds(2);
    config.scrub_bytes_per_second = int64_t{64} << 20;
    config.offsets_topic_partitions = 2;
    // Short, so that silent members are removed in the middle of a run.
    config.group_session_timeout = options_.group_session;
    config.group_heartbeat_interval = std::chrono::milliseconds(400);
    config.classic_session_timeout_min = std::chrono::milliseconds(500);
    config.group_initial_rebalance_delay = options_.group_initial_delay;
    config.partition.replica_lag_max = options_.replica_lag_max;
    config.offsets_retention = options_.offsets_retention;
    config.offsets_retention_check_interval = std::chrono::milliseconds(500);
    config.partition.producer_id_expiration = options_.producer_expiration;
    config.partition.producer_snapshot_bytes = options_.producer_snapshot_bytes;
    brokers_.push_back(std::make_unique<SimBroker>(*this, std::move(config)));
  }
}

Cluster::~Cluster() { network_.AbandonAll(); }

void Cluster::StartAll() {
  for (auto& controller : controllers_) controller->Start();
  for (auto& broker : brokers_) broker->Start();
}

SimController* Cluster::FindController(ControllerId id) {
  for (auto& controller : controllers_) {
    if (controller->id() == id) return controller.get();
  }
  return nullptr;
}

SimBroker* Cluster::FindBroker(BrokerId id) {
  for (auto& broker : brokers_) {
    if (broker->id() == id) return broker.get();
  }
  return nullptr;
}

}  // namespace quipu::sim
