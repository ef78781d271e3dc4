// What a broker is told at start. Names in comments are the config keys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "core/coordinator/group_options.h"
#include "core/metadata/metadata_image.h"
#include "core/replication/partition_types.h"
#include "runtime/disk_stall.h"

namespace quipu {

struct BrokerConfig {
  ClusterId cluster_id;
  BrokerId broker_id;
  DirectoryId directory_id;
  HostPort client_endpoint;           // advertised
  HostPort peer_endpoint;             // advertised
  HostPort kafka_endpoint;            // advertised; without a host: no such listener
  std::string rack;                   // broker.rack
  std::vector<HostPort> controllers;  // controller.quorum.bootstrap.servers
  size_t num_shards = 1;              // num.shards

  PartitionLimits partition;
  size_t in_flight_bytes_max = size_t{64} << 20;  // quipu.produce.in.flight.bytes.max
  size_t fetch_waiters_max = 10000;               // quipu.fetch.waiters.max
  size_t fetch_bytes_max = size_t{1} << 20;       // fetch.max.bytes
  // Of all fetches under way, some 450 bytes of memory each; a fetch for which there is no room
  // beside others is refused with LIMIT_REACHED.
  size_t fetch_partitions_max = 500000;
  size_t replica_credit_bytes = size_t{8} << 20;      // quipu.replica.credit.bytes
  size_t unsynced_tail_bytes_max = size_t{64} << 20;  // quipu.unsynced.tail.bytes.max, per shard
  size_t tail_bytes = size_t{8} << 20;                // quipu.tail.bytes, per shard
  Duration retention_check_interval = std::chrono::minutes(5);  // log.retention.check.interval.ms
  int32_t offsets_topic_partitions = 8;                         // offsets.topic.num.partitions
  int32_t offsets_topic_replication_factor = 3;                 // offsets.topic.replication.factor
  Duration offsets_retention = std::chrono::hours(24 * 7);      // offsets.retention.minutes
  Duration offsets_retention_check_interval =
      std::chrono::minutes(10);                // offsets.retention.check.interval.ms
  int32_t offset_metadata_bytes_max = 4096;    // offset.metadata.max.bytes
  int32_t group_size_max = 1000;               // group.consumer.max.size
  int32_t classic_group_size_max = 1000;       // group.max.size
  int32_t groups_max = 10000;                  // quipu.groups.max
  size_t groups_bytes_max = size_t{64} << 20;  // quipu.groups.bytes.max
  GroupMigrationPolicy group_migration_policy =
      GroupMigrationPolicy::kBidirectional;                   // group.consumer.migration.policy
  Duration group_session_timeout = std::chrono::seconds(45);  // group.consumer.session.timeout.ms
  Duration group_heartbeat_interval =
      std::chrono::seconds(5);  // group.consumer.heartbeat.interval.ms
  Duration group_initial_rebalance_delay =
      std::chrono::seconds(3);  // group.initial.rebalance.delay.ms
  Duration classic_session_timeout_min = std::chrono::seconds(6);   // group.min.session.timeout.ms
  Duration classic_session_timeout_max = std::chrono::minutes(30);  // group.max.session.timeout.ms
  Duration request_timeout = std::chrono::seconds(30);              // request.timeout.ms
  // quipu.scrub.bytes.per.second: stored batches that are read again to find damage; 0: none
  int64_t scrub_bytes_per_second = int64_t{4} << 20;
  Duration scrub_interval = std::chrono::hours(1);  // quipu.scrub.interval.ms: between two passes
  int64_t disk_free_bytes_min = int64_t{1} << 30;   // quipu.disk.free.bytes.min: soft mark (D6)
  DiskStall::Options disk_stall;
};

}  // namespace quipu
