#!/usr/bin/env python3
"""Writes the three Grafana dashboards beside it.

    make_dashboards.py            writes cluster.json, topics.json and groups.json
    make_dashboards.py --check    ends with 1 when one of them is not what it would write

Each panel is a line of the tables below: title, unit, kind, and its queries with their legends.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROW_PANELS, WIDTH, HEIGHT = 3, 8, 7
RATE = "[$__rate_interval]"


def quantile(share, metric, by, matcher=""):
    grouping = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouping}) (rate({metric}_bucket{matcher}{RATE})))"


TOPIC = '{topic=~"$topic"}'
GROUP = '{group=~"$group"}'

CLUSTER = [
    ("Active controller", "short", "stat", [("sum(quipu_controller_active)", "active")]),
    ("Active brokers", "short", "stat", [("max(quipu_cluster_active_brokers)", "brokers")]),
    ("Fenced brokers", "short", "stat", [("max(quipu_cluster_fenced_brokers)", "fenced")]),
    ("Offline partitions", "short", "stat", [("max(quipu_cluster_offline_partitions)", "offline")]),
    ("Partitions under min.insync.replicas", "short", "stat",
     [("max(quipu_cluster_under_min_isr_partitions)", "under min ISR")]),
    ("Under-replicated partitions", "short", "stat",
     [("max(quipu_cluster_under_replicated_partitions)", "under-replicated")]),
    ("Produced records", "ops", "timeseries",
     [(f"sum by (instance) (rate(quipu_topic_produced_records_total{RATE}))", "{{instance}}")]),
    ("Consumed records", "ops", "timeseries",
     [(f"sum by (instance) (rate(quipu_topic_consumed_records_total{RATE}))", "{{instance}}")]),
    ("Replicated bytes", "Bps", "timeseries",
     [(f"sum by (instance) (rate(quipu_replicated_bytes_total{RATE}))", "{{instance}}")]),
    ("Produce latency by stage, p99", "s", "timeseries",
     [(quantile(0.99, "quipu_produce_seconds", "stage"), "{{stage}}")]),
    ("Fetch latency, p99", "s", "timeseries",
     [(quantile(0.99, "quipu_fetch_seconds", "stage"), "{{stage}}")]),
    ("Log sync, p50 and p99", "s", "timeseries",
     [(quantile(0.5, "quipu_wal_sync_seconds", "instance"), "p50 {{instance}}"),
      (quantile(0.99, "quipu_wal_sync_seconds", "instance"), "p99 {{instance}}")]),
    ("Submissions of one sync (group commit), mean", "short", "timeseries",
     [(f"rate(quipu_wal_group_submissions_sum{RATE}) / rate(quipu_wal_group_submissions_count{RATE})",
       "{{instance}}")]),
    ("Bytes of one sync, p90", "bytes", "timeseries",
     [(quantile(0.9, "quipu_wal_group_bytes", "instance"), "{{instance}}")]),
    ("Write under way", "s", "timeseries",
     [("quipu_wal_write_in_progress_seconds", "{{instance}}")]),
    ("Refused", "ops", "timeseries",
     [(f"sum by (api, reason) (rate(quipu_refused_total{RATE}))", "{{api}} {{reason}}")]),
    ("ISR changes", "short", "timeseries",
     [(f"sum by (instance) (increase(quipu_isr_shrinks_total{RATE}))", "shrinks {{instance}}"),
      (f"sum by (instance) (increase(quipu_isr_expands_total{RATE}))", "expands {{instance}}")]),
    ("Follower lag in records, largest", "short", "timeseries",
     [("max by (follower) (quipu_replica_lag_records)", "broker {{follower}}")]),
    ("Leader changes", "short", "timeseries",
     [(f"sum by (instance) (increase(quipu_leader_changes_total{RATE}))", "{{instance}}")]),
    ("Replicas by role", "short", "timeseries",
     [("quipu_hosted_partitions", "{{instance}} {{role}}")]),
    ("Bytes in flight, not durable, queued", "bytes", "timeseries",
     [("quipu_produce_in_flight_bytes", "in flight {{instance}}"),
      ("quipu_unsynced_bytes", "not durable {{instance}}"),
      ("quipu_wal_queued_bytes", "log queue {{instance}}"),
      ("quipu_replica_undurable_bytes", "pushed {{instance}}")]),
    ("Waiting: acknowledgements and fetches", "short", "timeseries",
     [("quipu_parked_acknowledgements", "acknowledgements {{instance}}"),
      ("quipu_fetch_waiters", "fetches {{instance}}")]),
    ("Connections of other brokers", "short", "timeseries",
     [("quipu_peer_connections", "{{instance}}")]),
    ("Kafka listener: connections", "short", "timeseries",
     [("quipu_kafka_connections", "{{instance}}")]),
    ("Kafka listener: connections that came, and were ended", "short", "timeseries",
     [(f"sum by (result) (increase(quipu_kafka_connections_total{RATE}))", "{{result}}"),
      (f"sum by (reason) (increase(quipu_kafka_connections_ended_total{RATE}))",
       "ended: {{reason}}")]),
    ("Kafka listener: bytes", "Bps", "timeseries",
     [(f"rate(quipu_kafka_received_bytes_total{RATE})", "received {{instance}}"),
      (f"rate(quipu_kafka_sent_bytes_total{RATE})", "sent {{instance}}")]),
    ("Kafka listener: memory of requests and answers", "bytes", "timeseries",
     [("quipu_kafka_request_bytes", "requests {{instance}}"),
      ("quipu_kafka_answer_bytes", "answers {{instance}}")]),
    ("Kafka listener: requests that waited for memory", "ops", "timeseries",
     [(f"rate(quipu_kafka_requests_waited_total{RATE})", "{{instance}}")]),
    ("Mailboxes and queues", "short", "timeseries",
     [("quipu_queue_depth", "{{instance}} {{queue}}")]),
    ("Write-ahead files", "bytes", "timeseries",
     [("quipu_wal_file_bytes", "{{instance}}")]),
    ("Write-ahead files, number", "short", "timeseries", [("quipu_wal_files", "{{instance}}")]),
    ("Journal: segments, spares, and what a start would apply again", "bytes", "timeseries",
     [("quipu_journal_segment_bytes", "segments {{instance}}"),
      ("quipu_journal_spare_bytes", "spares {{instance}}"),
      ("quipu_journal_unflushed_bytes", "to be applied again {{instance}}")]),
    ("Journal: segments freed, and bytes moved", "short", "timeseries",
     [(f'sum by (instance, event) (increase(quipu_journal_segments_total{RATE}))',
       "{{event}} {{instance}}"),
      (f"sum by (instance) (increase(quipu_journal_moved_bytes_total{RATE}))",
       "bytes moved {{instance}}")]),
    ("Logs on disk", "bytes", "timeseries",
     [("sum by (instance) (quipu_replica_log_bytes)", "{{instance}}")]),
    ("Waiting: admin requests and reads for repairs", "short", "timeseries",
     [("quipu_admin_requests_waiting", "admin {{instance}}"),
      ("quipu_repair_reads", "repair reads {{instance}}")]),
    ("Damaged batches", "short", "timeseries",
     [("quipu_damaged_batches", "not repaired {{instance}}"),
      (f"sum by (instance) (increase(quipu_repaired_batches_total{RATE}))",
       "repaired {{instance}}")]),
    ("Free disk space", "bytes", "timeseries",
     [("quipu_disk_free_bytes", "{{instance}}"),
      ("max(quipu_disk_free_bytes_min)", "quipu.disk.free.bytes.min")]),
    ("Produce refused for lack of space", "short", "timeseries",
     [("quipu_disk_full", "{{instance}}")]),
    ("Unsafe settings", "short", "timeseries",
     [("quipu_unsafe_setting", "{{instance}} {{key}}")]),
    ("Raft term", "short", "timeseries", [("quipu_raft_term", "{{instance}}")]),
    ("Raft indexes", "short", "timeseries",
     [("quipu_raft_commit_index", "commit {{instance}}"),
      ("quipu_raft_durable_index", "durable {{instance}}"),
      ("quipu_raft_voter_match_index", "voter {{voter}}")]),
    ("Metadata not applied yet", "short", "timeseries",
     [("quipu_raft_apply_lag_entries", "controller {{instance}}"),
      ("scalar(max(quipu_raft_commit_index)) - quipu_metadata_index", "broker {{instance}}")]),
    ("Controllers: proposed and not committed", "bytes", "timeseries",
     [("quipu_controller_proposal_bytes", "{{instance}}")]),
    ("Controllers: answers that wait", "short", "timeseries",
     [("quipu_controller_waiting_answers", "{{instance}}")]),
    ("Metadata log sync, p99", "s", "timeseries",
     [(quantile(0.99, "quipu_raft_sync_seconds", "instance"), "{{instance}}")]),
    ("Processor", "percentunit", "timeseries",
     [(f"rate(quipu_cpu_seconds_total{RATE})", "{{instance}}")]),
    ("Resident memory", "bytes", "timeseries",
     [("quipu_resident_memory_bytes", "{{instance}}")]),
    ("Scrapes: time and threads that did not answer", "short", "timeseries",
     [("quipu_scrape_seconds", "seconds {{instance}}"),
      ("quipu_scrape_incomplete", "incomplete {{instance}}")]),
]
TOPICS = [
    ("Produced records", "ops", "timeseries",
     [(f"sum by (topic) (rate(quipu_topic_produced_records_total{TOPIC}{RATE}))", "{{topic}}")]),
    ("Produced bytes", "Bps", "timeseries",
     [(f"sum by (topic) (rate(quipu_topic_produced_bytes_total{TOPIC}{RATE}))", "{{topic}}")]),
    ("Bytes of a record, mean", "bytes", "timeseries",
     [(f"sum by (topic) (rate(quipu_topic_produced_bytes_total{TOPIC}{RATE})) / "
       f"sum by (topic) (rate(quipu_topic_produced_records_total{TOPIC}{RATE}))", "{{topic}}")]),
    ("Consumed records", "ops", "timeseries",
     [(f"sum by (topic) (rate(quipu_topic_consumed_records_total{TOPIC}{RATE}))", "{{topic}}")]),
    ("Consumed bytes", "Bps", "timeseries",
     [(f"sum by (topic) (rate(quipu_topic_consumed_bytes_total{TOPIC}{RATE}))", "{{topic}}")]),
    ("Records kept", "short", "timeseries",
     [(f"sum by (topic) (quipu_partition_high_watermark{TOPIC} - "
       f"quipu_partition_log_start_offset{TOPIC})", "{{topic}}")]),
    ("Bytes on disk, all replicas", "bytes", "timeseries",
     [(f"sum by (topic) (quipu_replica_log_bytes{TOPIC})", "{{topic}}")]),
    ("Bytes on disk by partition, largest replica", "bytes", "timeseries",
     [(f"max by (topic, partition) (quipu_replica_log_bytes{TOPIC})",
       "{{topic}}-{{partition}}")]),
    ("Follower lag in records", "short", "timeseries",
     [(f"quipu_replica_lag_records{TOPIC}", "{{topic}}-{{partition}} broker {{follower}}")]),
    ("High watermarks", "short", "timeseries",
     [(f"quipu_partition_high_watermark{TOPIC}", "{{topic}}-{{partition}}")]),
    ("Appended and not committed", "short", "timeseries",
     [(f"quipu_partition_log_end_offset{TOPIC} - quipu_partition_high_watermark{TOPIC}",
       "{{topic}}-{{partition}}")]),
    ("Log start offsets", "short", "timeseries",
     [(f"quipu_partition_log_start_offset{TOPIC}", "{{topic}}-{{partition}}")]),
    ("In-sync replicas", "short", "timeseries",
     [(f"quipu_partition_isr_size{TOPIC}", "{{topic}}-{{partition}}")]),
    ("Replicas", "short", "timeseries",
     [(f"min by (topic) (quipu_partition_replicas{TOPIC})", "{{topic}}")]),
    ("Under-replicated partitions", "short", "timeseries",
     [(f"sum by (topic) (quipu_partition_under_replicated{TOPIC})", "{{topic}}")]),
    ("Leaders", "short", "timeseries",
     [(f"quipu_partition_leader{TOPIC}", "{{topic}}-{{partition}}")]),
    ("Partitions not led by their preferred leader", "short", "timeseries",
     [(f"sum by (topic) (1 - quipu_partition_leader_is_preferred{TOPIC})", "{{topic}}")]),
    ("Partitions", "short", "timeseries", [(f"quipu_topic_partitions{TOPIC}", "{{topic}}")]),
]
GROUPS = [
    ("State: 0 OK, 1 WARN, 2 STALLED, 3 STOPPED", "short", "timeseries",
     [(f"max by (group) (quipu_group_state{GROUP})", "{{group}}")]),
    ("Members", "short", "timeseries",
     [(f"max by (group) (quipu_group_members{GROUP})", "{{group}}")]),
    ("Partitions of unknown lag", "short", "timeseries",
     [(f"max by (group) (quipu_group_partitions_unknown{GROUP})", "{{group}}")]),
    ("Questions to leaders that failed", "ops", "timeseries",
     [(f"sum by (instance, reason) (rate(quipu_group_lag_requests_failed_total{RATE}))",
       "{{instance}} {{reason}}")]),
    ("Groups held by coordinators", "short", "timeseries",
     [("quipu_groups", "{{instance}}")]),
    ("Lag in records", "short", "timeseries",
     [(f"sum by (group, topic) (quipu:group_lag_records{GROUP})", "{{group}} {{topic}}")]),
    ("Lag in seconds, largest", "s", "timeseries",
     [(f"max by (group, topic) (quipu_group_lag_seconds{GROUP})", "{{group}} {{topic}}")]),
    ("Committed offsets a second", "ops", "timeseries",
     [(f"sum by (group, topic) (deriv(quipu_group_committed_offset{GROUP}{RATE}))",
       "{{group}} {{topic}}")]),
    ("Lag in records by partition", "short", "timeseries",
     [(f"quipu_group_lag_records{GROUP}", "{{group}} {{topic}}-{{partition}}")]),
    ("Lag in seconds by partition", "s", "timeseries",
     [(f"quipu_group_lag_seconds{GROUP}", "{{group}} {{topic}}-{{partition}}")]),
    ("State by partition", "short", "timeseries",
     [(f"quipu_group_partition_state{GROUP}", "{{group}} {{topic}}-{{partition}}")]),
]
VARIABLES = {"topic": "label_values(quipu_topic_partitions, topic)",
             "group": "label_values(quipu_group_members, group)"}


def panel(number, title, unit, kind, queries):
    column, row = number % ROW_PANELS, number // ROW_PANELS
    return {"id": number + 1, "title": title, "type": kind,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "targets": [{"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend}
                        for i, (expr, legend) in enumerate(queries)]}


def dashboard(name, panels, variables):
    chosen = [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
    for variable in variables:
        chosen.append({"name": variable, "type": "query", "query": VARIABLES[variable],
                       "datasource": {"type": "prometheus", "uid": "${datasource}"},
                       "includeAll": True, "multi": True, "allValue": ".*", "refresh": 2,
                       "current": {"text": "All", "value": "$__all"}})
    return {"title": f"Quipu {name}", "uid": f"quipu-{name}", "tags": ["quipu"], "editable": True,
            "schemaVersion": 37, "version": 1, "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"}, "templating": {"list": chosen},
            "panels": [panel(i, *line) for i, line in enumerate(panels)]}


def main():
    stale = []
    for name, panels, variables in (("cluster", CLUSTER, ()), ("topics", TOPICS, ("topic",)),
                                    ("groups", GROUPS, ("group",))):
        path = os.path.join(HERE, f"{name}.json")
        text = json.dumps(dashboard(name, panels, variables), indent=1) + "\n"
        if sys.argv[1:] == ["--check"]:
            with open(path, encoding="utf-8") as file:
                if file.read() != text:
                    stale.append(path)
            continue
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    for path in stale:
        print(f"{path} is not what make_dashboards.py writes; run it")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
