// The metrics themselves.
#include "runtime/metrics/metric_definitions.h"

#include <utility>

namespace quipu {
namespace {

using enum MetricType;
using enum MetricOwner;
using Definitions = std::vector<MetricDefinition>;

// Adds metrics of one owner.
class Definer {
 public:
  Definer(Definitions& all, MetricOwner owner) : all_(all), owner_(owner) {}
  void operator()(absl::string_view name, MetricType type, absl::string_view unit,
                  std::vector<absl::string_view> labels, absl::string_view help,
                  absl::string_view alias = "") const {
    all_.push_back({.name = name,
                    .type = type,
                    .owner = owner_,
                    .unit = unit,
                    .labels = std::move(labels),
                    .help = help,
                    .alias = alias});
  }

 private:
  Definitions& all_;
  MetricOwner owner_;
};

void DefineNode(Definitions& all) {
  const Definer add(all, kNode);
  add("quipu_node_info", kGauge, "1", {"role", "node_id", "cluster_id"},
      "Always 1; says who this process is");
  add("quipu_start_time_seconds", kGauge, "seconds", {},
      "When the process began, since the Unix epoch");
  add("quipu_cpu_seconds_total", kCounter, "seconds", {},
      "Processor time of the process, user and system");
  add("quipu_resident_memory_bytes", kGauge, "bytes", {}, "Resident memory");
  add("quipu_open_files", kGauge, "files", {}, "Open file descriptors");
  add("quipu_unsafe_setting", kGauge, "0 or 1", {"key"},
      "1 while the process runs with this unsafe setting");
  add("quipu_disk_free_bytes", kGauge, "bytes", {}, "Free on the file system of log.dir");
  add("quipu_queue_depth", kGauge, "items", {"queue"},
      "Work that waits for a thread: shard-N, control, cold-read (reads of older records: "
      "quipu.cold.read.threads), controller, raft-disk, or probe");
  add("quipu_refused_total", kCounter, "errors", {"api", "reason"},
      "Errors in answers, one for each partition that was refused, by call: Log/Produce, "
      "Groups/OffsetCommit and so on as in services.proto; what brokers ask controllers on their "
      "stream as Control/RegisterBroker, Control/BrokerHeartbeat, Control/AlterPartitions, "
      "Control/AllocateProducerIds, Control/Admin. Also streams that were ended: INVALID_REQUEST "
      "for bytes that are no request, LIMIT_REACHED for a peer that does not read its answers");
  add("quipu_wal_files", kGauge, "files", {}, "Write-ahead files of the database in log.dir");
  add("quipu_wal_file_bytes", kGauge, "bytes", {},
      "Length of these files: what is replayed at the next start, at most about 256 MiB. None with "
      "log.store=journal: see quipu_journal_unflushed_bytes");
  add("quipu_scrape_incomplete", kGauge, "threads", {},
      "Threads that did not answer this scrape in metrics.scrape.timeout.ms; what they own is told "
      "as it was before");
  add("quipu_scrape_seconds", kGauge, "seconds", {}, "How long this scrape took to gather");
  add("quipu_metrics_left_out", kGauge, "items", {"kind"},
      "Partitions (of a broker: replicas), and partitions of groups, beyond metrics.partitions.max "
      "that nothing is told of");
}

void DefineData(Definitions& all) {
  const Definer add(all, kBroker);
  add("quipu_topic_produced_records_total", kCounter, "records", {"topic"},
      "Records that this broker appended as leader; repeated batches are not counted");
  add("quipu_topic_produced_bytes_total", kCounter, "bytes", {"topic"},
      "Bytes of these records' batches, as stored");
  add("quipu_topic_consumed_records_total", kCounter, "records", {"topic"},
      "Records in answers to fetches of consumers");
  add("quipu_topic_consumed_bytes_total", kCounter, "bytes", {"topic"},
      "Bytes of the batches in these answers");
  add("quipu_replicated_bytes_total", kCounter, "bytes", {},
      "Bytes of batches that this broker appended as follower");
  add("quipu_produce_seconds", kHistogram, "seconds", {"stage"},
      "Time of a produced batch. queue: from its arrival to its shard; sync: from the append until "
      "it is durable here; replication: from then until the high watermark covers it; total: from "
      "its arrival to its acknowledgement");
  add("quipu_fetch_seconds", kHistogram, "seconds", {"stage"},
      "Time of a consumer's fetch. read: its last read of the logs; total: with the wait for data "
      "that it asked for");
  add("quipu_partition_log_start_offset", kGauge, "offset", {"topic", "partition"},
      "First offset kept; told by the leader", "kafka_topic_partition_oldest_offset");
  add("quipu_partition_high_watermark", kGauge, "offset", {"topic", "partition"},
      "End of what is committed and visible, exclusive; told by the leader",
      "kafka_topic_partition_current_offset");
  add("quipu_partition_log_end_offset", kGauge, "offset", {"topic", "partition"},
      "Offset that the next record gets; told by the leader");
  add("quipu_replica_lag_records", kGauge, "records", {"topic", "partition", "follower"},
      "Records that the leader has and the follower does not have durably; told by the leader, "
      "absent until it has heard of the follower in its leader epoch");
  add("quipu_replica_log_bytes", kGauge, "bytes", {"topic", "partition"},
      "Bytes of the batches that this broker's replica keeps, without what was trimmed and not yet "
      "given back; of at most 64 replicas that changed measured anew at each "
      "metrics.lag.interval.ms, absent before the first time");
}

void DefineBroker(Definitions& all) {
  const Definer add(all, kBroker);
  add("quipu_hosted_partitions", kGauge, "replicas", {"role"},
      "Replicas on this broker that lead, follow, or do neither (none)");
  add("quipu_leader_changes_total", kCounter, "elections", {},
      "Leaderships (leader epochs) that this broker began");
  add("quipu_isr_shrinks_total", kCounter, "changes", {},
      "Changes of partitions led here that took replicas out of the ISR");
  add("quipu_isr_expands_total", kCounter, "changes", {},
      "Changes of partitions led here that took replicas into the ISR");
  add("quipu_parked_acknowledgements", kGauge, "batches", {},
      "Appended batches whose producers wait for the high watermark");
  add("quipu_fetch_waiters", kGauge, "fetches", {}, "Fetches that wait for data");
  add("quipu_produce_in_flight_bytes", kGauge, "bytes", {},
      "Produced and not yet answered; the limit is quipu.produce.in.flight.bytes.max");
  add("quipu_unsynced_bytes", kGauge, "bytes", {},
      "Accepted and not yet durable; the limit is quipu.unsynced.tail.bytes.max for each shard");
  add("quipu_peer_connections", kGauge, "connections", {},
      "Open connections of other brokers to listener.peer: one for each shard of each broker that "
      "follows this one, at most quipu.peer.connections.max");
  add("quipu_replica_undurable_bytes", kGauge, "bytes", {},
      "Pushed by leaders and not yet durable here; the limit is quipu.replica.credit.bytes for "
      "each leader and shard");
  add("quipu_damaged_batches", kGauge, "batches", {},
      "Stored batches that were found damaged here and are not repaired, at most 64 of each "
      "replica");
  add("quipu_repaired_batches_total", kCounter, "batches", {},
      "Damaged batches that were replaced by a peer's sound copy");
  add("quipu_repair_reads", kGauge, "reads", {},
      "Reads under way for peers that repair themselves; at most 16 of each shard");
  add("quipu_admin_requests_waiting", kGauge, "requests", {},
      "Admin requests forwarded to the active controller and not answered, as of the last second; "
      "at most 1000");
  add("quipu_disk_free_bytes_min", kGauge, "bytes", {},
      "quipu.disk.free.bytes.min: with less free space produce is refused");
  add("quipu_disk_full", kGauge, "0 or 1", {}, "1 while produce is refused for lack of space");
  add("quipu_wal_sync_seconds", kHistogram, "seconds", {},
      "Write and sync of one group of the log");
  add("quipu_wal_group_bytes", kHistogram, "bytes", {}, "Bytes that one sync made durable");
  add("quipu_wal_group_submissions", kHistogram, "submissions", {},
      "Submissions of shards that one sync made durable (group commit)");
  add("quipu_wal_queued_bytes", kGauge, "bytes", {}, "Submitted to the log and not yet durable");
  add("quipu_wal_write_in_progress_seconds", kGauge, "seconds", {},
      "How long the write under way has lasted; 0: none is");
  add("quipu_journal_segments", kGauge, "segments", {},
      "log.store=journal (0 without it, as all of these): segments that hold batches, or may");
  add("quipu_journal_segment_bytes", kGauge, "bytes", {}, "log.store=journal: of these segments");
  add("quipu_journal_spare_bytes", kGauge, "bytes", {},
      "log.store=journal: of segments that are kept to be used again, or made ahead");
  add("quipu_journal_segments_total", kCounter, "segments", {"event"},
      "log.store=journal: segments made of zeros, recycled from free ones, and freed since nothing "
      "lived in them any more");
  add("quipu_journal_moved_bytes_total", kCounter, "bytes", {},
      "log.store=journal: batches written again because the rest of their segment was dead");
  add("quipu_journal_unflushed_bytes", kGauge, "bytes", {},
      "log.store=journal: what a start would have to apply again; beyond "
      "quipu.journal.replay.bytes the index is written to its tables");
  add("quipu_journal_replayed_groups", kGauge, "groups", {},
      "log.store=journal: groups that this process applied again when it started");
  add("quipu_journal_replay_seconds", kGauge, "seconds", {},
      "log.store=journal: how long this process walked over the journal when it started");
  add("quipu_journal_direct", kGauge, "0 or 1", {},
      "log.store=journal: 1 while groups are written past the page cache");
  add("quipu_metadata_index", kGauge, "index", {},
      "Entry of the metadata log that this broker has applied; compare with "
      "quipu_raft_commit_index");
  add("quipu_broker_epoch", kGauge, "epoch", {},
      "Epoch of this broker's registration; -1 before the first");
}

void DefineKafka(Definitions& all) {
  const Definer add(all, kBroker);
  add("quipu_kafka_connections", kGauge, "connections", {},
      "Open connections of listener.kafka; at most max.connections");
  add("quipu_kafka_connections_total", kCounter, "connections", {"result"},
      "Connections that came to listener.kafka: accepted, or refused beyond max.connections or "
      "max.connections.per.ip, or for want of the kernel's memory");
  add("quipu_kafka_connections_ended_total", kCounter, "connections", {"reason"},
      "Connections that the broker ended. idle: connections.max.idle.ms; stalled: the peer sent a "
      "request or took its answers too slowly, or asked for more than it read; faulty: what came "
      "in was no request, too large, or is not served");
  add("quipu_kafka_received_bytes_total", kCounter, "bytes", {}, "Received on listener.kafka");
  add("quipu_kafka_sent_bytes_total", kCounter, "bytes", {}, "Sent on listener.kafka");
  add("quipu_kafka_request_bytes", kGauge, "bytes", {},
      "Requests on listener.kafka that are not answered, as far as they have come; at most "
      "queued.max.request.bytes and one request");
  add("quipu_kafka_answer_bytes", kGauge, "bytes", {},
      "Answers on listener.kafka that are not sent; at most twice quipu.queued.max.response.bytes");
  add("quipu_kafka_requests_waited_total", kCounter, "requests", {},
      "How often a request on listener.kafka had to wait for room under queued.max.request.bytes");
}

void DefineGroups(Definitions& all) {
  const Definer add(all, kCoordinator);
  add("quipu_groups", kGauge, "groups", {"kind", "state"},
      "Groups that coordinators here hold, by kind, consumer where the server assigns and classic "
      "where the members do, and by state; the limit is quipu.groups.max for each partition of "
      "__consumer_offsets");
  add("quipu_group_bytes", kGauge, "bytes", {},
      "Memory, about, that groups of coordinators here take with their members and offsets; the "
      "limit is quipu.groups.bytes.max for each partition of __consumer_offsets");
  add("quipu_group_offsets_expired_total", kCounter, "offsets", {},
      "Committed offsets that coordinators here removed after offsets.retention.minutes");
  add("quipu_groups_expired_total", kCounter, "groups", {},
      "Groups without members that went with the last of these offsets");
  add("quipu_group_requests_waiting", kGauge, "requests", {},
      "JoinGroup and SyncGroup requests that wait for other members of their groups");
  add("quipu_group_members", kGauge, "members", {"group"}, "Members of the group",
      "kafka_consumergroup_members");
  add("quipu_group_committed_offset", kGauge, "offset", {"group", "topic", "partition"},
      "Offset that the group committed last", "kafka_consumergroup_current_offset");
  add("quipu_group_lag_records", kGauge, "records", {"group", "topic", "partition"},
      "High watermark less the committed offset: as the coordinator's own replica knows it, or, "
      "where that is none in sync, as the leader was asked at the last metrics.lag.interval.ms; "
      "absent while neither is known (see quipu_group_partitions_unknown)",
      "kafka_consumergroup_lag");
  add("quipu_group_lag_seconds", kGauge, "seconds", {"group", "topic", "partition"},
      "How long ago the high watermark passed the committed offset, between two looks taken as "
      "even; 0 when all is consumed; at least the time since the first look, so less than the "
      "truth right after a coordinator has moved");
  add("quipu_group_partition_state", kGauge, "0 to 3", {"group", "topic", "partition"},
      "Over the last ten looks: 0 OK; 1 WARN: offsets are committed, and the lag grew without a "
      "pause; 2 STALLED: commits come, and their offset stays; 3 STOPPED: no commits come, and "
      "records wait");
  add("quipu_group_state", kGauge, "0 to 3", {"group"},
      "The largest quipu_group_partition_state of the group");
  add("quipu_group_partitions_unknown", kGauge, "partitions", {"group"},
      "Partitions with committed offsets whose lag is not known: the coordinator holds no replica "
      "in sync, and there is no leader, or it has not answered for three looks");
  add("quipu_group_lag_requests_failed_total", kCounter, "errors", {"reason"},
      "Why leaders did not tell their high watermark: the error of a partition, NOT_CONNECTED, or "
      "REQUEST_TIMED_OUT (2 s)");
}

void DefineController(Definitions& all) {
  const Definer add(all, kController);
  add("quipu_controller_active", kGauge, "0 or 1", {},
      "1 on the controller that leads and decides");
  add("quipu_raft_term", kGauge, "term", {}, "Raft term");
  add("quipu_raft_commit_index", kGauge, "index", {},
      "Newest entry of the metadata log known to be committed");
  add("quipu_raft_applied_index", kGauge, "index", {},
      "Newest entry applied to the metadata image");
  add("quipu_raft_apply_lag_entries", kGauge, "entries", {}, "Committed and not yet applied");
  add("quipu_raft_last_index", kGauge, "index", {}, "Newest entry of the log");
  add("quipu_raft_durable_index", kGauge, "index", {}, "Newest entry synced here");
  add("quipu_raft_snapshot_index", kGauge, "index", {},
      "Last entry of the newest snapshot; 0: none");
  add("quipu_controller_proposal_bytes", kGauge, "bytes", {},
      "Proposed by this controller and not yet committed; the limit is "
      "quipu.controller.proposal.bytes.max");
  add("quipu_controller_waiting_answers", kGauge, "answers", {},
      "Answers to brokers that wait until what they saw is committed; at most 10000 wait for a "
      "commit and as many for a read index");
  add("quipu_raft_dropped_messages_total", kCounter, "messages", {},
      "Inadmissible messages of other voters that were dropped");
  add("quipu_raft_voters", kGauge, "voters", {}, "Voters of the quorum");
  add("quipu_raft_sync_seconds", kHistogram, "seconds", {}, "Write and sync of the metadata log");
}

void DefineCluster(Definitions& all) {
  const Definer add(all, kActiveController);
  add("quipu_raft_voter_match_index", kGauge, "index", {"voter"},
      "Newest entry that the voter is known to hold");
  add("quipu_cluster_active_brokers", kGauge, "brokers", {},
      "Brokers that take part (registered and not fenced)", "kafka_brokers");
  add("quipu_cluster_fenced_brokers", kGauge, "brokers", {},
      "Brokers that are registered and fenced");
  add("quipu_cluster_offline_partitions", kGauge, "partitions", {}, "Partitions without a leader");
  add("quipu_cluster_under_replicated_partitions", kGauge, "partitions", {},
      "Partitions with fewer in-sync replicas than replicas");
  add("quipu_cluster_under_min_isr_partitions", kGauge, "partitions", {},
      "Partitions with fewer in-sync replicas than min.insync.replicas: produce is refused");
  add("quipu_topic_partitions", kGauge, "partitions", {"topic"}, "Partitions of the topic",
      "kafka_topic_partitions");
  add("quipu_partition_replicas", kGauge, "replicas", {"topic", "partition"},
      "Replicas of the partition", "kafka_topic_partition_replicas");
  add("quipu_partition_isr_size", kGauge, "replicas", {"topic", "partition"},
      "In-sync replicas of the partition", "kafka_topic_partition_in_sync_replica");
  add("quipu_partition_leader", kGauge, "broker", {"topic", "partition"},
      "Broker id of the leader; -1: none", "kafka_topic_partition_leader");
  add("quipu_partition_leader_is_preferred", kGauge, "0 or 1", {"topic", "partition"},
      "1 while the first replica leads", "kafka_topic_partition_leader_is_preferred");
  add("quipu_partition_under_replicated", kGauge, "0 or 1", {"topic", "partition"},
      "1 while a replica is not in sync", "kafka_topic_partition_under_replicated_partition");
}

void DefineLibrary(Definitions& all) {
  const Definer add(all, kLibrary);
  add("exposer_transferred_bytes_total", kCounter, "bytes", {}, "Bytes of all answers to scrapes");
  add("exposer_scrapes_total", kCounter, "scrapes", {}, "Scrapes");
  add("exposer_request_latencies", kSummary, "microseconds", {}, "Time of a scrape");
}

}  // namespace

std::vector<MetricDefinition> DefineMetrics() {
  Definitions all;
  DefineNode(all);
  DefineData(all);
  DefineBroker(all);
  DefineKafka(all);
  DefineGroups(all);
  DefineController(all);
  DefineCluster(all);
  DefineLibrary(all);
  return all;
}

}  // namespace quipu
