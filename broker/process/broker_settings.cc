#include "broker/process/broker_settings.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "runtime/metrics/metrics_settings.h"
#include "runtime/process.h"
#include "storage/wal_writer.h"

namespace quipu {
namespace {

constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;
constexpr size_t kGiB = size_t{1} << 30;

bool ParseEndpoints(absl::string_view text, std::vector<HostPort>* out) {
  std::vector<HostPort> endpoints;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    HostPort endpoint;
    if (!ParseEndpoint(part, &endpoint.host, &endpoint.port) || endpoint.port == 0) return false;
    endpoints.push_back(std::move(endpoint));
  }
  *out = std::move(endpoints);
  return true;
}

void AddProcessKeys(ConfigKeys& keys, BrokerSettings& settings) {
  keys.AddParsed("broker.id", "", "a whole number from 0 up",
                 "the broker's id; must be the one that log.dir was formatted for",
                 [&settings](absl::string_view text) {
                   int32_t id = -1;
                   if (!absl::SimpleAtoi(text, &id) || id < 0) return false;
                   settings.broker_id = id;
                   return true;
                 });
  keys.AddParsed("cluster.id", "", "32 hexadecimal digits",
                 "the cluster; must be the one that log.dir was formatted for",
                 [&settings](absl::string_view text) {
                   const std::optional<Uuid> id = Uuid::FromText(text);
                   if (!id || id->IsZero()) return false;
                   settings.cluster_id = id;
                   return true;
                 });
  keys.AddText("log.dir", &settings.log_dir, "the formatted data directory");
  keys.Require("log.dir");
  keys.AddEndpoint("listener.client", &settings.client_listener.host,
                   &settings.client_listener.port,
                   "where clients connect; port 0 takes a free one (see listeners.file)");
  keys.Require("listener.client");
  keys.AddEndpoint("listener.peer", &settings.peer_listener.host, &settings.peer_listener.port,
                   "where other brokers connect; port 0 takes a free one");
  keys.Require("listener.peer");
  keys.AddText("listeners.file", &settings.listeners_file,
               "written once the broker serves, with the ports that it listens on");
  keys.AddParsed("controller.quorum.bootstrap.servers", "", "HOST:PORT[,HOST:PORT...]",
                 "listeners of the controllers", [&settings](absl::string_view text) {
                   return ParseEndpoints(text, &settings.node.controllers);
                 });
  keys.Require("controller.quorum.bootstrap.servers");
  keys.AddText("broker.rack", &settings.node.rack, "failure domain; replicas spread over racks");
  keys.Add<size_t>("num.network.threads", &settings.network_threads, 1, 16,
                   "threads of the client listener");
  keys.Add<size_t>("num.shards", &settings.node.num_shards, 1, 128,
                   "threads that own the partitions; by default one less than the cores");
  keys.Add<size_t>("quipu.cold.read.threads", &settings.cold_read_threads, 1, 64,
                   "threads that read older records from disk");
  keys.Add<size_t>("quipu.network.memory.bytes.max", &settings.network_memory_bytes_max,
                   size_t{32} << 20, 64 * kGiB, "gRPC's buffers, for each listener");
  keys.AddMillis("controlled.shutdown.timeout.ms", &settings.shutdown_timeout, 0, 600000,
                 "how long a stopping broker waits for its leaderships to move away");
  keys.Add<int64_t>("quipu.disk.ballast.bytes", &settings.ballast_bytes, 0, int64_t{1} << 40,
                    "kept aside and given up when the disk is full; 0: none");
  keys.AddBool("quipu.unsafe.plaintext.network", &settings.unsafe_plaintext_network,
               "allows listeners beyond this machine, although nothing is encrypted or "
               "authenticated");
}

void AddNodeKeys(ConfigKeys& keys, BrokerConfig& node) {
  keys.AddMillis("replica.lag.time.max.ms", &node.partition.replica_lag_max, 100, 3600000,
                 "a follower that has not caught up for so long leaves the ISR");
  keys.AddMillis("producer.id.expiration.ms", &node.partition.producer_id_expiration, 1000,
                 365 * kDayMs, "an idle producer's sequence numbers are forgotten after it");
  keys.AddBool("quipu.validate.compressed", &node.partition.validate_compressed,
               "decompresses each batch to check its records");
  keys.Add<size_t>("quipu.produce.in.flight.bytes.max", &node.in_flight_bytes_max, 1 << 20,
                   16 * kGiB, "produced and not yet answered; more is refused");
  keys.Add<size_t>("quipu.fetch.waiters.max", &node.fetch_waiters_max, 1, 10000000,
                   "fetches that wait for data");
  keys.Add<size_t>("fetch.max.bytes", &node.fetch_bytes_max, 1024, 1 << 20,
                   "most bytes of one fetch answer, or one larger batch alone");
  keys.Add<size_t>("quipu.replica.credit.bytes", &node.replica_credit_bytes, 1 << 20, kGiB,
                   "bytes that a leader may push before the follower has taken them");
  keys.Add<size_t>("quipu.unsynced.tail.bytes.max", &node.unsynced_tail_bytes_max, 1 << 20,
                   16 * kGiB, "accepted and not yet durable, for each shard; more is refused");
  keys.AddMillis("log.retention.check.interval.ms", &node.retention_check_interval, 1, kDayMs,
                 "how often retention is applied");
  keys.Add<int32_t>("offsets.topic.num.partitions", &node.offsets_topic_partitions, 1, 1000,
                    "partitions of __consumer_offsets, when it is made");
  keys.Add<int32_t>("offsets.topic.replication.factor", &node.offsets_topic_replication_factor, 1,
                    15, "replicas of __consumer_offsets, when it is made");
  keys.Add<int32_t>("offset.metadata.max.bytes", &node.offset_metadata_bytes_max, 0, 1 << 20,
                    "text that a commit may carry");
  keys.Add<int32_t>("group.consumer.max.size", &node.group_size_max, 1, 100000,
                    "members of a group");
  keys.Add<int32_t>("quipu.groups.max", &node.groups_max, 1, 10000000,
                    "groups that one coordinator holds");
  keys.AddMillis("group.consumer.session.timeout.ms", &node.group_session_timeout, 100, 3600000,
                 "silence after which a member is removed");
  keys.AddMillis("group.consumer.heartbeat.interval.ms", &node.group_heartbeat_interval, 10,
                 3600000, "how often members are asked to report");
  keys.AddMillis("request.timeout.ms", &node.request_timeout, 100, 3600000,
                 "how long a request to the controllers may take");
  keys.Add<int64_t>("quipu.scrub.bytes.per.second", &node.scrub_bytes_per_second, 0, 64 * kGiB,
                    "stored batches that are read again to find damage; 0: none");
  keys.AddMillis("quipu.scrub.interval.ms", &node.scrub_interval, 1, 365 * kDayMs,
                 "pause between two passes over everything that is stored");
  keys.Add<int64_t>("quipu.disk.free.bytes.min", &node.disk_free_bytes_min, 0, int64_t{1} << 50,
                    "with less free space produce requests are refused");
  keys.AddMillis("quipu.disk.stall.shed.ms", &node.disk_stall.shed, 100, 600000,
                 "a write that takes so long moves leaderships to other brokers");
  keys.AddMillis("quipu.disk.stall.exit.ms", &node.disk_stall.exit, 1000, 3600000,
                 "a write that takes so long ends the process");
}

void SetDefaults(BrokerSettings& settings) {
  const unsigned cores = std::thread::hardware_concurrency();
  settings.node.num_shards = cores > 2 ? cores - 1 : 1;
}

absl::Status CheckLoopback(const BrokerSettings& settings) {
  for (const auto& [key, listener] : {std::pair{"listener.client", &settings.client_listener},
                                      std::pair{"listener.peer", &settings.peer_listener}}) {
    if (settings.unsafe_plaintext_network || IsLoopbackHost(listener->host)) continue;
    return ToStatus(
        ErrorCode::kInvalidConfig,
        absl::StrCat(key, "=", listener->host, ":", listener->port,
                     " can be reached from other machines, and nothing is encrypted or "
                     "authenticated; expected an address such as 127.0.0.1, or "
                     "quipu.unsafe.plaintext.network=true on a network that you trust"));
  }
  return absl::OkStatus();
}

}  // namespace

size_t LogQueueBytesMax(const BrokerConfig& config) {
  return WalWriter::Options().queued_bytes_max + config.num_shards * config.unsynced_tail_bytes_max;
}

absl::StatusOr<BrokerSettings> LoadBrokerSettings(const std::string& file,
                                                  const std::vector<std::string>& assignments) {
  BrokerSettings settings;
  SetDefaults(settings);
  ConfigKeys keys;
  AddProcessKeys(keys, settings);
  AddNodeKeys(keys, settings.node);
  AddMetricsKeys(keys, settings.metrics, /*of_broker=*/true);
  if (!file.empty()) QUIPU_RETURN_IF_ERROR(keys.LoadFile(file));
  for (const std::string& assignment : assignments) QUIPU_RETURN_IF_ERROR(keys.Set(assignment));
  QUIPU_RETURN_IF_ERROR(keys.CheckComplete());
  QUIPU_RETURN_IF_ERROR(CheckMetricsListener(settings.metrics, settings.unsafe_plaintext_network));
  QUIPU_RETURN_IF_ERROR(CheckLoopback(settings));
  QUIPU_RETURN_IF_ERROR(CheckDiskStall(settings.node.disk_stall));
  return settings;
}

std::string DescribeBrokerSettings() {
  BrokerSettings settings;
  SetDefaults(settings);
  ConfigKeys keys;
  AddProcessKeys(keys, settings);
  AddNodeKeys(keys, settings.node);
  AddMetricsKeys(keys, settings.metrics, /*of_broker=*/true);
  return keys.Describe();
}

}  // namespace quipu
