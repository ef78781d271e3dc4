#include "controller/process/controller_settings.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/config.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "runtime/metrics/metrics_settings.h"
#include "runtime/process.h"

namespace quipu {
namespace {

void AddProcessKeys(ConfigKeys& keys, ControllerSettings& settings) {
  keys.AddParsed("node.id", "", "a whole number from 0 up",
                 "the controller's id; must be the one that log.dir was formatted for",
                 [&settings](absl::string_view text) {
                   int32_t id = -1;
                   if (!absl::SimpleAtoi(text, &id) || id < 0) return false;
                   settings.node_id = id;
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
  keys.AddEndpoint("listener.controller", &settings.listener.host, &settings.listener.port,
                   "where brokers and other controllers connect; by default what log.dir was "
                   "formatted with; port 0 takes a free one (single controllers only)");
  keys.AddText("listeners.file", &settings.listeners_file,
               "written once the controller serves, with the port that it listens on");
  keys.Add<size_t>("quipu.network.memory.bytes.max", &settings.network_memory_bytes_max,
                   size_t{32} << 20, size_t{64} << 30, "gRPC's buffers");
  keys.AddBool("quipu.unsafe.plaintext.network", &settings.unsafe_plaintext_network,
               "allows a listener beyond this machine, although nothing is encrypted or "
               "authenticated");
}

void AddNodeKeys(ConfigKeys& keys, ControllerConfig& node) {
  keys.AddMillis("controller.quorum.election.timeout.ms", &node.election_timeout, 50, 60000,
                 "silence of the leader after which a controller stands for election");
  keys.AddMillis("controller.quorum.heartbeat.interval.ms", &node.raft_heartbeat_interval, 5, 10000,
                 "how often the leader is heard");
  keys.AddMillis("broker.session.timeout.ms", &node.broker_session_timeout, 100, 600000,
                 "silence of a broker after which it is fenced");
  keys.AddMillis("broker.heartbeat.interval.ms", &node.broker_heartbeat_interval, 10, 60000,
                 "how often a broker reports");
  keys.Add<int32_t>("num.partitions", &node.num_partitions, 1, 10000,
                    "partitions of a topic that does not say");
  keys.Add<int32_t>("default.replication.factor", &node.default_replication_factor, 1, 15,
                    "replicas of a topic that does not say");
  keys.Add<int32_t>("min.insync.replicas", &node.min_insync_replicas, 1, 15,
                    "replicas that must hold a record before it is acknowledged, where the topic "
                    "does not say");
  keys.Add<uint64_t>("metadata.log.max.record.entries.between.snapshots", &node.snapshot_entries, 1,
                     10000000, "entries after which the metadata log is compacted");
  keys.Add<size_t>("quipu.controller.proposal.bytes.max", &node.proposal_bytes_max, 1 << 20,
                   size_t{1} << 30, "proposed and not yet committed; more is refused");
  keys.AddMillis("quipu.controller.replace.timeout.ms", &node.replace_timeout, 1000, 3600000,
                 "a voter's replacement that has not caught up by then is given up, where the "
                 "command does not say");
  keys.AddMillis("quipu.disk.stall.shed.ms", &node.disk_stall.shed, 100, 600000,
                 "a leader whose write takes so long resigns");
  keys.AddMillis("quipu.disk.stall.exit.ms", &node.disk_stall.exit, 1000, 3600000,
                 "a write that takes so long ends the process");
  keys.Add<int32_t>("quipu.partitions.max", &node.partitions_max, 1, 1000000,
                    "partitions in the cluster");
}

absl::Status Check(const ControllerSettings& settings) {
  if (settings.node.raft_heartbeat_interval * 2 > settings.node.election_timeout) {
    return ToStatus(ErrorCode::kInvalidConfig,
                    absl::StrCat("controller.quorum.heartbeat.interval.ms=",
                                 ToMillis(settings.node.raft_heartbeat_interval),
                                 " is too long; expected at most half of "
                                 "controller.quorum.election.timeout.ms=",
                                 ToMillis(settings.node.election_timeout)));
  }
  QUIPU_RETURN_IF_ERROR(CheckDiskStall(settings.node.disk_stall));
  if (settings.node.broker_heartbeat_interval * 2 > settings.node.broker_session_timeout) {
    return ToStatus(ErrorCode::kInvalidConfig,
                    absl::StrCat("broker.heartbeat.interval.ms=",
                                 ToMillis(settings.node.broker_heartbeat_interval),
                                 " is too long; expected at most half of "
                                 "broker.session.timeout.ms=",
                                 ToMillis(settings.node.broker_session_timeout)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ControllerSettings> LoadControllerSettings(
    const std::string& file, const std::vector<std::string>& assignments) {
  ControllerSettings settings;
  ConfigKeys keys;
  AddProcessKeys(keys, settings);
  AddNodeKeys(keys, settings.node);
  AddMetricsKeys(keys, settings.metrics, /*of_broker=*/false);
  if (!file.empty()) QUIPU_RETURN_IF_ERROR(keys.LoadFile(file));
  for (const std::string& assignment : assignments) QUIPU_RETURN_IF_ERROR(keys.Set(assignment));
  QUIPU_RETURN_IF_ERROR(keys.CheckComplete());
  QUIPU_RETURN_IF_ERROR(CheckMetricsListener(settings.metrics, settings.unsafe_plaintext_network));
  QUIPU_RETURN_IF_ERROR(Check(settings));
  return settings;
}

std::string DescribeControllerSettings() {
  ControllerSettings settings;
  ConfigKeys keys;
  AddProcessKeys(keys, settings);
  AddNodeKeys(keys, settings.node);
  AddMetricsKeys(keys, settings.metrics, /*of_broker=*/false);
  return keys.Describe();
}

}  // namespace quipu
