#include "controller/process/controller_settings.h"

#include "absl/strings/str_cat.h"
#include "base/config/config_tables.h"
#include "base/config/log_keys.h"
#include "base/status_macros.h"
#include "runtime/metrics/metrics_settings.h"

namespace quipu {
namespace {

void ReadProcessKeys(ConfigReader& reader, ControllerSettings& settings) {
  reader.Number("node.id", &settings.node_id);
  std::string cluster_id;
  reader.Text("cluster.id", &cluster_id);
  settings.cluster_id = Uuid::FromText(cluster_id);
  reader.Text("log.dir", &settings.log_dir);
  reader.Endpoint("listener.controller", &settings.listener.host, &settings.listener.port);
  reader.Text("listeners.file", &settings.listeners_file);
  reader.Number("quipu.network.memory.bytes.max", &settings.network_memory_bytes_max);
  reader.Bool("quipu.unsafe.plaintext.network", &settings.unsafe_plaintext_network);
  settings.log = ReadLogOptions(reader);
}

void ReadNodeKeys(ConfigReader& reader, ControllerConfig& node) {
  reader.Millis("controller.quorum.election.timeout.ms", &node.election_timeout);
  reader.Millis("controller.quorum.heartbeat.interval.ms", &node.raft_heartbeat_interval);
  reader.Millis("broker.session.timeout.ms", &node.broker_session_timeout);
  reader.Millis("broker.heartbeat.interval.ms", &node.broker_heartbeat_interval);
  reader.Number("num.partitions", &node.num_partitions);
  reader.Number("default.replication.factor", &node.default_replication_factor);
  reader.Number("min.insync.replicas", &node.min_insync_replicas);
  reader.Number("metadata.log.max.record.entries.between.snapshots", &node.snapshot_entries);
  reader.Number("quipu.controller.proposal.bytes.max", &node.proposal_bytes_max);
  reader.Millis("quipu.controller.replace.timeout.ms", &node.replace_timeout);
  reader.Millis("quipu.disk.stall.shed.ms", &node.disk_stall.shed);
  reader.Millis("quipu.disk.stall.exit.ms", &node.disk_stall.exit);
  reader.Number("quipu.partitions.max", &node.partitions_max);
}

// `interval` must be at most half of `timeout`.
void CheckHalf(ConfigReader& reader, absl::string_view interval_key, Duration interval,
               absl::string_view timeout_key, Duration timeout) {
  if (interval * 2 <= timeout) return;
  reader.Refuse(absl::StrCat(interval_key, "=", ToMillis(interval),
                             " is too long; expected at most half of ", timeout_key, "=",
                             ToMillis(timeout)));
}

// Rules between keys.
void CheckTogether(ConfigReader& reader, const ControllerConfig& node) {
  CheckHalf(reader, "controller.quorum.heartbeat.interval.ms", node.raft_heartbeat_interval,
            "controller.quorum.election.timeout.ms", node.election_timeout);
  reader.Refuse(CheckDiskStall(node.disk_stall));
  CheckHalf(reader, "broker.heartbeat.interval.ms", node.broker_heartbeat_interval,
            "broker.session.timeout.ms", node.broker_session_timeout);
  if (node.min_insync_replicas == 1) {
    reader.Warn("min.insync.replicas",
                "1: what is acknowledged may be on one disk alone; expected 2 or more");
  } else if (node.min_insync_replicas > node.default_replication_factor) {
    reader.Warn("min.insync.replicas",
                absl::StrCat(node.min_insync_replicas, " is more than default.replication.factor=",
                             node.default_replication_factor,
                             ": a topic of that factor needs all of its replicas"));
  }
}

}  // namespace

absl::StatusOr<ControllerSettings> LoadControllerSettings(
    const std::string& file, const std::vector<std::string>& assignments,
    const std::vector<std::string>& environment) {
  ControllerSettings settings;
  ConfigReader reader(ControllerConfigTable());
  if (!file.empty()) reader.LoadFile(file);
  reader.LoadEnvironment(environment);
  for (const std::string& assignment : assignments) reader.Set(assignment);
  ReadProcessKeys(reader, settings);
  ReadNodeKeys(reader, settings.node);
  settings.metrics = ReadMetricsSettings(reader, /*of_broker=*/false);
  CheckMetricsListener(reader, settings.metrics, settings.unsafe_plaintext_network);
  CheckTogether(reader, settings.node);
  QUIPU_RETURN_IF_ERROR(reader.Finish());
  settings.effective = reader.values();
  settings.warnings = reader.warnings();
  return settings;
}

}  // namespace quipu
