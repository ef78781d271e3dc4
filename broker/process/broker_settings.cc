#include "broker/process/broker_settings.h"

#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/config/config_tables.h"
#include "base/config/log_keys.h"
#include "base/status_macros.h"
#include "runtime/metrics/metrics_settings.h"
#include "runtime/process.h"
#include "storage/wal_writer.h"

namespace quipu {
namespace {

// What producers wait for a batch's report unless they say (delivery.timeout.ms).
constexpr Duration kDeliveryTimeoutDefault = std::chrono::seconds(120);
// Silence after which the controllers fence a broker unless they say (broker.session.timeout.ms).
constexpr Duration kBrokerSessionDefault = std::chrono::seconds(3);

void ReadProcessKeys(ConfigReader& reader, BrokerSettings& settings) {
  reader.Number("broker.id", &settings.broker_id);
  std::string cluster_id;
  reader.Text("cluster.id", &cluster_id);
  settings.cluster_id = Uuid::FromText(cluster_id);
  reader.Text("log.dir", &settings.log_dir);
  settings.log_store =
      reader.Choice("log.store") == 1 ? LogStoreKind::kJournal : LogStoreKind::kRocksdb;
  settings.log_store_given = reader.WasGiven("log.store");
  reader.Number("quipu.journal.segment.bytes", &settings.journal.segment_bytes);
  reader.Number("quipu.journal.spare.bytes", &settings.journal.spare_bytes);
  reader.Number("quipu.journal.tail.bytes", &settings.journal.tail_bytes);
  reader.Number("quipu.journal.replay.bytes", &settings.journal.replay_bytes);
  reader.Endpoint("listener.client", &settings.client_listener.host,
                  &settings.client_listener.port);
  reader.Endpoint("listener.peer", &settings.peer_listener.host, &settings.peer_listener.port);
  reader.Endpoint("listener.kafka", &settings.kafka_listener.host, &settings.kafka_listener.port);
  std::string advertised;
  reader.Text("advertised.listeners", &advertised);
  absl::StatusOr<AdvertisedListeners> listeners = ParseAdvertisedListeners(advertised);
  if (listeners.ok()) {
    settings.advertised = *std::move(listeners);
  } else {
    reader.Refuse(listeners.status());
  }
  reader.Text("listeners.file", &settings.listeners_file);
  for (auto& [host, port] : reader.Endpoints("controller.quorum.bootstrap.servers")) {
    settings.node.controllers.push_back({.host = std::move(host), .port = port});
  }
  reader.Text("broker.rack", &settings.node.rack);
  reader.Number("quipu.peer.connections.max", &settings.peer_connections_max);
  reader.Number("num.network.threads", &settings.network_threads);
  reader.Number("num.shards", &settings.node.num_shards);
  reader.Number("quipu.cold.read.threads", &settings.cold_read_threads);
  reader.Number("quipu.network.memory.bytes.max", &settings.network_memory_bytes_max);
  reader.Millis("controlled.shutdown.timeout.ms", &settings.shutdown_timeout);
  reader.Number("quipu.disk.ballast.bytes", &settings.ballast_bytes);
  reader.Bool("quipu.unsafe.plaintext.network", &settings.unsafe_plaintext_network);
  settings.log = ReadLogOptions(reader);
}

void ReadKafkaKeys(ConfigReader& reader, KafkaSettings& kafka) {
  reader.Number("max.connections", &kafka.connections_max);
  reader.Number("max.connections.per.ip", &kafka.connections_per_ip_max);
  reader.Millis("connections.max.idle.ms", &kafka.connections_idle_max);
  reader.Number("socket.request.max.bytes", &kafka.request_bytes_max);
  reader.Number("queued.max.request.bytes", &kafka.queued_bytes_max);
  reader.Number("quipu.queued.max.response.bytes", &kafka.queued_answer_bytes_max);
  reader.Bool("auto.create.topics.enable", &kafka.auto_create_topics);
}

void ReadNodeKeys(ConfigReader& reader, BrokerConfig& node) {
  reader.Millis("replica.lag.time.max.ms", &node.partition.replica_lag_max);
  reader.Millis("producer.id.expiration.ms", &node.partition.producer_id_expiration);
  reader.Bool("quipu.validate.compressed", &node.partition.validate_compressed);
  reader.Number("quipu.produce.in.flight.bytes.max", &node.in_flight_bytes_max);
  reader.Number("quipu.fetch.waiters.max", &node.fetch_waiters_max);
  reader.Number("fetch.max.bytes", &node.fetch_bytes_max);
  reader.Number("quipu.replica.credit.bytes", &node.replica_credit_bytes);
  reader.Number("quipu.unsynced.tail.bytes.max", &node.unsynced_tail_bytes_max);
  reader.Number("quipu.tail.bytes", &node.tail_bytes);
  reader.Millis("log.retention.check.interval.ms", &node.retention_check_interval);
  reader.Number("offsets.topic.num.partitions", &node.offsets_topic_partitions);
  reader.Number("offsets.topic.replication.factor", &node.offsets_topic_replication_factor);
  reader.Number("offset.metadata.max.bytes", &node.offset_metadata_bytes_max);
  reader.Number("group.consumer.max.size", &node.group_size_max);
  reader.Number("quipu.groups.max", &node.groups_max);
  reader.Number("quipu.groups.bytes.max", &node.groups_bytes_max);
  int64_t retention_minutes =
      std::chrono::duration_cast<std::chrono::minutes>(node.offsets_retention).count();
  reader.Number("offsets.retention.minutes", &retention_minutes);
  node.offsets_retention = std::chrono::minutes(retention_minutes);
  reader.Millis("offsets.retention.check.interval.ms", &node.offsets_retention_check_interval);
  reader.Millis("group.consumer.session.timeout.ms", &node.group_session_timeout);
  reader.Millis("group.consumer.heartbeat.interval.ms", &node.group_heartbeat_interval);
  // In the order of the table's words.
  constexpr GroupMigrationPolicy kPolicies[] = {
      GroupMigrationPolicy::kBidirectional, GroupMigrationPolicy::kUpgrade,
      GroupMigrationPolicy::kDowngrade, GroupMigrationPolicy::kDisabled};
  node.group_migration_policy = kPolicies[reader.Choice("group.consumer.migration.policy")];
  reader.Number("group.max.size", &node.classic_group_size_max);
  reader.Millis("group.min.session.timeout.ms", &node.classic_session_timeout_min);
  reader.Millis("group.max.session.timeout.ms", &node.classic_session_timeout_max);
  reader.Millis("group.initial.rebalance.delay.ms", &node.group_initial_rebalance_delay);
  reader.Millis("request.timeout.ms", &node.request_timeout);
  reader.Number("quipu.scrub.bytes.per.second", &node.scrub_bytes_per_second);
  reader.Millis("quipu.scrub.interval.ms", &node.scrub_interval);
  reader.Number("quipu.disk.free.bytes.min", &node.disk_free_bytes_min);
  reader.Millis("quipu.disk.stall.shed.ms", &node.disk_stall.shed);
  reader.Millis("quipu.disk.stall.exit.ms", &node.disk_stall.exit);
}

void SetDefaults(BrokerSettings& settings) {
  const unsigned cores = std::thread::hardware_concurrency();
  settings.node.num_shards = cores > 2 ? cores - 1 : 1;
}

void CheckLoopback(ConfigReader& reader, const BrokerSettings& settings) {
  for (const auto& [key, listener] : {std::pair{"listener.client", &settings.client_listener},
                                      std::pair{"listener.peer", &settings.peer_listener},
                                      std::pair{"listener.kafka", &settings.kafka_listener}}) {
    if (listener->host.empty() || settings.unsafe_plaintext_network ||
        IsLoopbackHost(listener->host)) {
      continue;
    }
    reader.Refuse(absl::StrCat(key, "=", listener->host, ":", listener->port,
                               " can be reached from other machines, and nothing is encrypted or "
                               "authenticated; expected an address such as 127.0.0.1, or "
                               "quipu.unsafe.plaintext.network=true on a network that you trust"));
  }
}

// Others are told where to connect, and "every address of this machine" is none.
void CheckAdvertised(ConfigReader& reader, const BrokerSettings& settings) {
  struct Listener {
    absl::string_view name;
    const HostPort& bound;
    const HostPort& told;
  };
  const AdvertisedListeners& told = settings.advertised;
  for (const Listener& listener : {Listener{"client", settings.client_listener, told.client},
                                   Listener{"peer", settings.peer_listener, told.peer},
                                   Listener{"kafka", settings.kafka_listener, told.kafka}}) {
    const bool anywhere = !listener.bound.host.empty() && IsWildcardHost(listener.bound.host);
    if (anywhere && listener.told.host.empty()) {
      reader.Refuse(absl::StrCat("listener.", listener.name, "=", listener.bound.host, ":",
                                 listener.bound.port,
                                 " is every address of this machine; advertised.listeners has to "
                                 "say by which one others reach it: ",
                                 absl::AsciiStrToUpper(listener.name), "://HOST:PORT"));
    }
  }
  if (!told.kafka.host.empty() && settings.kafka_listener.host.empty()) {
    reader.Refuse("advertised.listeners has a KAFKA:// address, and there is no listener.kafka");
  }
}

// Rules between keys.
void CheckTogether(ConfigReader& reader, const BrokerConfig& node) {
  reader.Refuse(CheckDiskStall(node.disk_stall));
  if (node.group_heartbeat_interval >= node.group_session_timeout) {
    reader.Refuse(absl::StrCat(
        "group.consumer.heartbeat.interval.ms=", ToMillis(node.group_heartbeat_interval),
        " is too long; expected less than "
        "group.consumer.session.timeout.ms=",
        ToMillis(node.group_session_timeout)));
  } else if (node.group_heartbeat_interval * 2 > node.group_session_timeout) {
    reader.Warn(
        "group.consumer.heartbeat.interval.ms",
        absl::StrCat(ToMillis(node.group_heartbeat_interval),
                     " ms is more than half of group.consumer.session.timeout.ms=",
                     ToMillis(node.group_session_timeout), ": one late report removes a member"));
  }
  if (node.classic_session_timeout_min > node.classic_session_timeout_max) {
    reader.Refuse(
        absl::StrCat("group.min.session.timeout.ms=", ToMillis(node.classic_session_timeout_min),
                     " is too long; expected no more than group.max.session.timeout.ms=",
                     ToMillis(node.classic_session_timeout_max)));
  }
  if (node.partition.producer_id_expiration < kDeliveryTimeoutDefault) {
    reader.Warn("producer.id.expiration.ms",
                absl::StrCat(ToMillis(node.partition.producer_id_expiration),
                             " ms is shorter than producers' delivery.timeout.ms, by default ",
                             ToMillis(kDeliveryTimeoutDefault),
                             ": a late retry of a batch may not be recognised"));
  }
  if (node.partition.replica_lag_max < kBrokerSessionDefault) {
    reader.Warn("replica.lag.time.max.ms",
                absl::StrCat(ToMillis(node.partition.replica_lag_max),
                             " ms is shorter than the controllers' broker.session.timeout.ms, by "
                             "default ",
                             ToMillis(kBrokerSessionDefault),
                             ": a follower leaves the ISR before it is known to be gone"));
  }
}

}  // namespace

size_t LogQueueBytesMax(const BrokerConfig& config) {
  return WalWriter::Options().queued_bytes_max + config.num_shards * config.unsynced_tail_bytes_max;
}

absl::StatusOr<BrokerSettings> LoadBrokerSettings(const std::string& file,
                                                  const std::vector<std::string>& assignments,
                                                  const std::vector<std::string>& environment) {
  BrokerSettings settings;
  SetDefaults(settings);
  ConfigReader reader(BrokerConfigTable());
  if (!file.empty()) reader.LoadFile(file);
  reader.LoadEnvironment(environment);
  for (const std::string& assignment : assignments) reader.Set(assignment);
  ReadProcessKeys(reader, settings);
  ReadKafkaKeys(reader, settings.kafka);
  ReadNodeKeys(reader, settings.node);
  settings.metrics = ReadMetricsSettings(reader, /*of_broker=*/true);
  CheckMetricsListener(reader, settings.metrics, settings.unsafe_plaintext_network);
  CheckLoopback(reader, settings);
  CheckAdvertised(reader, settings);
  CheckTogether(reader, settings.node);
  QUIPU_RETURN_IF_ERROR(reader.Finish());
  settings.effective = reader.values();
  settings.warnings = reader.warnings();
  return settings;
}

}  // namespace quipu
