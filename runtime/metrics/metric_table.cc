#include "runtime/metrics/metric_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quipu {
namespace {

using enum MetricType;
using enum MetricOwner;
using Definitions = std::vector<MetricDefinition>;

void AddNodeMetrics(Definitions& all) {
  all.insert(
      all.end(),
      {{"quipu_node_info",
        kGauge,
        kNode,
        "1",
        {"role", "node_id", "cluster_id"},
        "Always 1; says who this process is",
        ""},
       {"quipu_start_time_seconds",
        kGauge,
        kNode,
        "seconds",
        {},
        "When the process began, since the Unix epoch",
        ""},
       {"quipu_cpu_seconds_total",
        kCounter,
        kNode,
        "seconds",
        {},
        "Processor time of the process, user and system",
        ""},
       {"quipu_resident_memory_bytes", kGauge, kNode, "bytes", {}, "Resident memory", ""},
       {"quipu_open_files", kGauge, kNode, "files", {}, "Open file descriptors", ""},
       {"quipu_unsafe_setting",
        kGauge,
        kNode,
        "0 or 1",
        {"key"},
        "1 while the process runs with this unsafe setting",
        ""},
       {"quipu_disk_free_bytes",
        kGauge,
        kNode,
        "bytes",
        {},
        "Free on the file system of log.dir",
        ""},
       {"quipu_queue_depth",
        kGauge,
        kNode,
        "items",
        {"queue"},
        "Work that waits for a thread: shard-N, control, or controller",
        ""},
       {"quipu_scrape_incomplete",
        kGauge,
        kNode,
        "threads",
        {},
        "Threads that did not answer this scrape in metrics.scrape.timeout.ms; what they own is "
        "told as it was before",
        ""},
       {"quipu_scrape_seconds",
        kGauge,
        kNode,
        "seconds",
        {},
        "How long this scrape took to gather",
        ""},
       {"quipu_metrics_left_out",
        kGauge,
        kNode,
        "items",
        {"kind"},
        "Partitions (of a broker: replicas), and partitions of groups, beyond "
        "metrics.partitions.max "
        "that nothing is told of",
        ""}});
}

void AddDataMetrics(Definitions& all) {
  all.insert(
      all.end(),
      {{"quipu_topic_produced_records_total",
        kCounter,
        kBroker,
        "records",
        {"topic"},
        "Records that this broker appended as leader; repeated batches are not counted",
        ""},
       {"quipu_topic_produced_bytes_total",
        kCounter,
        kBroker,
        "bytes",
        {"topic"},
        "Bytes of these records' batches, as stored",
        ""},
       {"quipu_topic_consumed_records_total",
        kCounter,
        kBroker,
        "records",
        {"topic"},
        "Records in answers to fetches of consumers",
        ""},
       {"quipu_topic_consumed_bytes_total",
        kCounter,
        kBroker,
        "bytes",
        {"topic"},
        "Bytes of the batches in these answers",
        ""},
       {"quipu_replicated_bytes_total",
        kCounter,
        kBroker,
        "bytes",
        {},
        "Bytes of batches that this broker appended as follower",
        ""},
       {"quipu_produce_seconds",
        kHistogram,
        kBroker,
        "seconds",
        {"stage"},
        "Time of a produced batch. queue: from its arrival to its shard; sync: from the append "
        "until "
        "it is durable here; replication: from then until the high watermark covers it; total: "
        "from its arrival to its acknowledgement",
        ""},
       {"quipu_fetch_seconds",
        kHistogram,
        kBroker,
        "seconds",
        {"stage"},
        "Time of a consumer's fetch. read: its last read of the logs; total: with the wait for "
        "data that it asked for",
        ""},
       {"quipu_refused_total",
        kCounter,
        kBroker,
        "answers",
        {"api", "reason"},
        "Partitions in answers to produce and fetch requests that carried this error",
        ""},
       {"quipu_partition_log_start_offset",
        kGauge,
        kBroker,
        "offset",
        {"topic", "partition"},
        "First offset kept; told by the leader",
        "kafka_topic_partition_oldest_offset"},
       {"quipu_partition_high_watermark",
        kGauge,
        kBroker,
        "offset",
        {"topic", "partition"},
        "End of what is committed and visible, exclusive; told by the leader",
        "kafka_topic_partition_current_offset"},
       {"quipu_partition_log_end_offset",
        kGauge,
        kBroker,
        "offset",
        {"topic", "partition"},
        "Offset that the next record gets; told by the leader",
        ""},
       {"quipu_hosted_partitions",
        kGauge,
        kBroker,
        "replicas",
        {"role"},
        "Replicas on this broker that lead, follow, or do neither (none)",
        ""},
       {"quipu_leader_changes_total",
        kCounter,
        kBroker,
        "elections",
        {},
        "Leaderships (leader epochs) that this broker began",
        ""},
       {"quipu_parked_acknowledgements",
        kGauge,
        kBroker,
        "batches",
        {},
        "Appended batches whose producers wait for the high watermark",
        ""},
       {"quipu_fetch_waiters", kGauge, kBroker, "fetches", {}, "Fetches that wait for data", ""},
       {"quipu_produce_in_flight_bytes",
        kGauge,
        kBroker,
        "bytes",
        {},
        "Produced and not yet answered; the limit is quipu.produce.in.flight.bytes.max",
        ""},
       {"quipu_unsynced_bytes",
        kGauge,
        kBroker,
        "bytes",
        {},
        "Accepted and not yet durable; the limit is quipu.unsynced.tail.bytes.max for each shard",
        ""},
       {"quipu_disk_free_bytes_min",
        kGauge,
        kBroker,
        "bytes",
        {},
        "quipu.disk.free.bytes.min: with less free space produce is refused",
        ""},
       {"quipu_disk_full",
        kGauge,
        kBroker,
        "0 or 1",
        {},
        "1 while produce is refused for lack of space",
        ""},
       {"quipu_wal_sync_seconds",
        kHistogram,
        kBroker,
        "seconds",
        {},
        "Write and sync of one group of the log",
        ""},
       {"quipu_wal_group_bytes",
        kHistogram,
        kBroker,
        "bytes",
        {},
        "Bytes that one sync made durable",
        ""},
       {"quipu_wal_group_submissions",
        kHistogram,
        kBroker,
        "submissions",
        {},
        "Submissions of shards that one sync made durable (group commit)",
        ""},
       {"quipu_wal_queued_bytes",
        kGauge,
        kBroker,
        "bytes",
        {},
        "Submitted to the log and not yet durable",
        ""},
       {"quipu_wal_write_in_progress_seconds",
        kGauge,
        kBroker,
        "seconds",
        {},
        "How long the write under way has lasted; 0: none is",
        ""},
       {"quipu_metadata_index",
        kGauge,
        kBroker,
        "index",
        {},
        "Entry of the metadata log that this broker has applied; compare with "
        "quipu_raft_commit_index",
        ""},
       {"quipu_broker_epoch",
        kGauge,
        kBroker,
        "epoch",
        {},
        "Epoch of this broker's registration; -1 before the first",
        ""}});
}

void AddGroupMetrics(Definitions& all) {
  all.insert(
      all.end(),
      {{"quipu_group_members",
        kGauge,
        kCoordinator,
        "members",
        {"group"},
        "Members of the group",
        "kafka_consumergroup_members"},
       {"quipu_group_committed_offset",
        kGauge,
        kCoordinator,
        "offset",
        {"group", "topic", "partition"},
        "Offset that the group committed last",
        "kafka_consumergroup_current_offset"},
       {"quipu_group_lag_records",
        kGauge,
        kCoordinator,
        "records",
        {"group", "topic", "partition"},
        "High watermark less the committed offset, as the coordinator's own replica of the "
        "partition knows it; absent without such a replica (see quipu_group_partitions_unknown)",
        "kafka_consumergroup_lag"},
       {"quipu_group_lag_seconds",
        kGauge,
        kCoordinator,
        "seconds",
        {"group", "topic", "partition"},
        "How long ago the high watermark passed the committed offset, between two looks taken as "
        "even; 0 when all is consumed; at least the time since the first look, so less than the "
        "truth right after a coordinator has moved",
        ""},
       {"quipu_group_partition_state",
        kGauge,
        kCoordinator,
        "0 to 3",
        {"group", "topic", "partition"},
        "Over the last ten looks: 0 OK; 1 WARN: offsets are committed, and the lag grew without a "
        "pause; 2 STALLED: commits come, and their offset stays; 3 STOPPED: no commits come, and "
        "records wait",
        ""},
       {"quipu_group_state",
        kGauge,
        kCoordinator,
        "0 to 3",
        {"group"},
        "The largest quipu_group_partition_state of the group",
        ""},
       {"quipu_group_partitions_unknown",
        kGauge,
        kCoordinator,
        "partitions",
        {"group"},
        "Partitions with committed offsets of which the coordinator holds no replica, so that it "
        "cannot tell their lag; the recording rule quipu:group_lag_records can",
        ""}});
}

void AddControllerMetrics(Definitions& all) {
  all.insert(
      all.end(),
      {{"quipu_controller_active",
        kGauge,
        kController,
        "0 or 1",
        {},
        "1 on the controller that leads and decides",
        ""},
       {"quipu_raft_term", kGauge, kController, "term", {}, "Raft term", ""},
       {"quipu_raft_commit_index",
        kGauge,
        kController,
        "index",
        {},
        "Newest entry of the metadata log known to be committed",
        ""},
       {"quipu_raft_applied_index",
        kGauge,
        kController,
        "index",
        {},
        "Newest entry applied to the metadata image",
        ""},
       {"quipu_raft_apply_lag_entries",
        kGauge,
        kController,
        "entries",
        {},
        "Committed and not yet applied",
        ""},
       {"quipu_raft_last_index", kGauge, kController, "index", {}, "Newest entry of the log", ""},
       {"quipu_raft_durable_index",
        kGauge,
        kController,
        "index",
        {},
        "Newest entry synced here",
        ""},
       {"quipu_raft_snapshot_index",
        kGauge,
        kController,
        "index",
        {},
        "Last entry of the newest snapshot; 0: none",
        ""},
       {"quipu_raft_dropped_messages_total",
        kCounter,
        kController,
        "messages",
        {},
        "Inadmissible messages of other voters that were dropped",
        ""},
       {"quipu_raft_voters", kGauge, kController, "voters", {}, "Voters of the quorum", ""},
       {"quipu_raft_sync_seconds",
        kHistogram,
        kController,
        "seconds",
        {},
        "Write and sync of the metadata log",
        ""},
       {"quipu_raft_voter_match_index",
        kGauge,
        kActiveController,
        "index",
        {"voter"},
        "Newest entry that the voter is known to hold",
        ""},
       {"quipu_cluster_active_brokers",
        kGauge,
        kActiveController,
        "brokers",
        {},
        "Brokers that take part (registered and not fenced)",
        "kafka_brokers"},
       {"quipu_cluster_fenced_brokers",
        kGauge,
        kActiveController,
        "brokers",
        {},
        "Brokers that are registered and fenced",
        ""},
       {"quipu_cluster_offline_partitions",
        kGauge,
        kActiveController,
        "partitions",
        {},
        "Partitions without a leader",
        ""},
       {"quipu_cluster_under_replicated_partitions",
        kGauge,
        kActiveController,
        "partitions",
        {},
        "Partitions with fewer in-sync replicas than replicas",
        ""},
       {"quipu_cluster_under_min_isr_partitions",
        kGauge,
        kActiveController,
        "partitions",
        {},
        "Partitions with fewer in-sync replicas than min.insync.replicas: produce is refused",
        ""},
       {"quipu_topic_partitions",
        kGauge,
        kActiveController,
        "partitions",
        {"topic"},
        "Partitions of the topic",
        "kafka_topic_partitions"},
       {"quipu_partition_replicas",
        kGauge,
        kActiveController,
        "replicas",
        {"topic", "partition"},
        "Replicas of the partition",
        "kafka_topic_partition_replicas"},
       {"quipu_partition_isr_size",
        kGauge,
        kActiveController,
        "replicas",
        {"topic", "partition"},
        "In-sync replicas of the partition",
        "kafka_topic_partition_in_sync_replica"},
       {"quipu_partition_leader",
        kGauge,
        kActiveController,
        "broker",
        {"topic", "partition"},
        "Broker id of the leader; -1: none",
        "kafka_topic_partition_leader"},
       {"quipu_partition_leader_is_preferred",
        kGauge,
        kActiveController,
        "0 or 1",
        {"topic", "partition"},
        "1 while the first replica leads",
        "kafka_topic_partition_leader_is_preferred"},
       {"quipu_partition_under_replicated",
        kGauge,
        kActiveController,
        "0 or 1",
        {"topic", "partition"},
        "1 while a replica is not in sync",
        "kafka_topic_partition_under_replicated_partition"}});
}

void AddLibraryMetrics(Definitions& all) {
  all.insert(all.end(),
             {{"exposer_transferred_bytes_total",
               kCounter,
               kLibrary,
               "bytes",
               {},
               "Bytes of all answers to scrapes",
               ""},
              {"exposer_scrapes_total", kCounter, kLibrary, "scrapes", {}, "Scrapes", ""},
              {"exposer_request_latencies",
               kSummary,
               kLibrary,
               "microseconds",
               {},
               "Time of a scrape",
               ""}});
}

absl::string_view OwnerText(MetricOwner owner) {
  switch (owner) {
    case kNode:
      return "Every broker and controller";
    case kBroker:
      return "Every broker";
    case kCoordinator:
      return "The broker that coordinates the group";
    case kController:
      return "Every controller";
    case kActiveController:
      return "The active controller";
    case kLibrary:
      return "Of prometheus-cpp, on every endpoint";
  }
  return "";
}

constexpr absl::string_view kIntroduction =
    R"(# Metrics

<!-- Made by `quipu-broker --describe-metrics`; a test compares. -->

With `metrics.listener=HOST:PORT` a broker or controller answers `GET /metrics` there in Prometheus' text format
(port 0 takes a free one, told in the log and in `listeners.file`). `quipu cluster up` gives every process one and
prints the addresses. Without the setting nothing listens. As the other listeners it must be on this machine unless
`quipu.unsafe.plaintext.network=true`: nobody is asked who they are.

- Names begin with `quipu_`; units are seconds and bytes; counters end in `_total` and begin at 0 with the process.
  Rates are Prometheus' to make: `rate(quipu_topic_produced_records_total[1m])`; `deploy/prometheus/` has rules for the
  usual ones, alerts, and a scrape configuration; `deploy/grafana/` has three dashboards.
- What a partition's log holds is told by its leader, what is committed about it (leader, replicas, ISR) by the active
  controller alone, what a group does by its coordinator. So each series has one source at a time, and a sum over all
  processes counts nothing twice.
- A metric with the name of kafka_exporter beside it is exported under both, with equal values.
- A scrape never makes a thread of the data path wait. A thread that does not answer within
  `metrics.scrape.timeout.ms` is told as it was before, and `quipu_scrape_incomplete` counts it.
- Of more partitions than `metrics.partitions.max` the rest is left out, and `quipu_metrics_left_out` counts it.
- Lag: see [decision 22](decisions/0022-lag-is-told-by-the-coordinator.md).
)";

}  // namespace

absl::string_view MetricTypeName(MetricType type) {
  switch (type) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      return "histogram";
    case kSummary:
      return "summary";
  }
  return "";
}

std::span<const MetricDefinition> MetricTable() {
  static const Definitions* const table = [] {
    auto* all = new Definitions();
    AddNodeMetrics(*all);
    AddDataMetrics(*all);
    AddGroupMetrics(*all);
    AddControllerMetrics(*all);
    AddLibraryMetrics(*all);
    return all;
  }();
  return *table;
}

const MetricDefinition* FindMetric(absl::string_view name) {
  for (const MetricDefinition& definition : MetricTable()) {
    if (definition.name == name) return &definition;
  }
  return nullptr;
}

std::string MetricsDocument() {
  std::string out(kIntroduction);
  const MetricDefinition* before = nullptr;
  for (const MetricDefinition& metric : MetricTable()) {
    if (before == nullptr || before->owner != metric.owner) {
      absl::StrAppend(&out, "\n## ", OwnerText(metric.owner),
                      "\n\n| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    }
    before = &metric;
    absl::StrAppend(&out, "| `", metric.name, "`",
                    metric.alias.empty() ? "" : absl::StrCat(" <br> `", metric.alias, "`"), " | ",
                    MetricTypeName(metric.type), " | ", metric.unit, " | ",
                    absl::StrJoin(metric.labels, ", "), " | ", metric.help, " |\n");
  }
  return out;
}

}  // namespace quipu
