#include "broker/process/broker_metrics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "runtime/metrics/node_metrics.h"
#include "storage/posix/posix_file.h"

namespace quipu {
namespace {

// Told from the start, with 0, so that an alert sees the first one.
constexpr ErrorCode kUsualRefusals[] = {
    ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotEnoughReplicas, ErrorCode::kDiskFull,
    ErrorCode::kTooManyInFlightBytes, ErrorCode::kRequestTimedOut};

// Of one request to a leader.
constexpr Duration kAskTimeout = std::chrono::seconds(2);
// What a leader told counts until so many looks have missed it.
constexpr int kEndsKeptLooks = 3;

}  // namespace

const std::string* BrokerMetrics::TopicName(const MetadataImage* image, const TopicId& topic) {
  const TopicImage* found = image == nullptr ? nullptr : image->FindTopic(topic);
  return found == nullptr ? nullptr : &found->name;
}

BrokerMetrics::BrokerMetrics(const BrokerSettings& settings, Sources sources)
    : settings_(settings),
      sources_(sources),
      gatherer_(settings.node.num_shards),
      leaders_(settings.node.broker_id, kAskTimeout,
               kEndsKeptLooks * settings.metrics.lag_interval + kAskTimeout) {}

BrokerMetrics::~BrokerMetrics() {
  server_.reset();
  looks_.Stop();
}

absl::StatusOr<std::unique_ptr<BrokerMetrics>> BrokerMetrics::Start(const BrokerSettings& settings,
                                                                    Sources sources) {
  std::unique_ptr<BrokerMetrics> metrics(new BrokerMetrics(settings, sources));
  QUIPU_ASSIGN_OR_RETURN(metrics->server_,
                         MetricsServer::Start(settings.metrics.host, settings.metrics.port,
                                              [self = metrics.get()] { return self->Collect(); }));
  metrics->ScheduleLooks();
  return metrics;
}

BrokerMetrics::Gathered BrokerMetrics::Gather() {
  return gatherer_.Gather(
      settings_.metrics.scrape_timeout, [this](size_t shard, Gatherer<ShardMetrics>::Done done) {
        sources_.node.CollectMetrics(shard, settings_.metrics.partitions_max, std::move(done));
      });
}

MetricSet BrokerMetrics::Collect() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Instant began = looks_.GetNow().mono;
  const Gathered shards = Gather();
  const BrokerMetricsState state = sources_.node.MetricsState();
  const MetadataImage* image = state.image.get();
  MetricSet out;
  AddShards(shards, state, out);
  AddTopics(shards, image, out);
  const size_t partitions_left_out = AddPartitions(shards, image, out);
  const size_t groups_left_out = AddGroups(shards, image, looks_.GetNow().mono, out);
  for (const auto& [reason, count] : leaders_.failures()) {
    out.Family("quipu_group_lag_requests_failed_total").Add({reason}, static_cast<double>(count));
  }
  AddLog(out);
  AddJournal(out);
  AddKafka(out);
  const absl::StatusOr<int64_t> free_bytes = DiskFreeBytes(settings_.log_dir);
  const FilesUse wal =
      UseOfFiles(sources_.storage.directory->database_path(), DataDirectory::kWalSuffix)
          .value_or(FilesUse{.files = -1, .bytes = -1});
  AddNodeMetrics(
      {.role = "broker",
       .node_id = settings_.node.broker_id.ToString(),
       .cluster_id = settings_.node.cluster_id.ToText(),
       .unsafe_plaintext_network = settings_.unsafe_plaintext_network,
       .disk_free_bytes = free_bytes.value_or(-1),
       .wal_files = wal.files,
       .wal_file_bytes = wal.bytes,
       .queues = sources_.ports.QueueDepths(),
       .refusals = RefusalCounts(),
       .incomplete = shards.incomplete,
       .left_out = {{"partition", partitions_left_out}, {"group_partition", groups_left_out}},
       .gathered_in = looks_.GetNow().mono - began},
      out);
  return out;
}

void BrokerMetrics::AddShards(const Gathered& shards, const BrokerMetricsState& state,
                              MetricSet& out) const {
  ShardCounters sum;
  ShardMetrics all;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    const ShardCounters& counters = shard->counters;
    sum.produce_queue.Add(counters.produce_queue);
    sum.produce_sync.Add(counters.produce_sync);
    sum.produce_replication.Add(counters.produce_replication);
    sum.produce_total.Add(counters.produce_total);
    sum.fetch_read.Add(counters.fetch_read);
    sum.fetch_total.Add(counters.fetch_total);
    sum.replicated_bytes += counters.replicated_bytes;
    sum.leaderships += counters.leaderships;
    sum.isr_shrinks += counters.isr_shrinks;
    sum.isr_expands += counters.isr_expands;
    sum.expired_offsets += counters.expired_offsets;
    sum.expired_groups += counters.expired_groups;
    for (size_t role = 0; role < std::size(all.replicas); ++role) {
      all.replicas[role] += shard->replicas[role];
    }
    all.parked_acks += shard->parked_acks;
    all.fetch_waiters += shard->fetch_waiters;
    all.unsynced_bytes += shard->unsynced_bytes;
    all.undurable_pushed_bytes += shard->undurable_pushed_bytes;
    for (const auto& [kind, count] : shard->groups_by_state) all.groups_by_state[kind] += count;
    all.group_requests_waiting += shard->group_requests_waiting;
    all.group_bytes += shard->group_bytes;
    all.damaged_batches += shard->damaged_batches;
    all.repaired_batches += shard->repaired_batches;
    all.repair_reads += shard->repair_reads;
  }
  MetricFamily& produce = out.Family("quipu_produce_seconds");
  produce.Add({"queue"}, sum.produce_queue);
  produce.Add({"sync"}, sum.produce_sync);
  produce.Add({"replication"}, sum.produce_replication);
  produce.Add({"total"}, sum.produce_total);
  MetricFamily& fetch = out.Family("quipu_fetch_seconds");
  fetch.Add({"read"}, sum.fetch_read);
  fetch.Add({"total"}, sum.fetch_total);
  out.Set("quipu_replicated_bytes_total", static_cast<double>(sum.replicated_bytes));
  out.Set("quipu_leader_changes_total", static_cast<double>(sum.leaderships));
  out.Set("quipu_isr_shrinks_total", static_cast<double>(sum.isr_shrinks));
  out.Set("quipu_isr_expands_total", static_cast<double>(sum.isr_expands));
  MetricFamily& hosted = out.Family("quipu_hosted_partitions");
  hosted.Add({"none"}, static_cast<double>(all.replicas[size_t(PartitionRole::kNone)]));
  hosted.Add({"leader"}, static_cast<double>(all.replicas[size_t(PartitionRole::kLeader)]));
  hosted.Add({"follower"}, static_cast<double>(all.replicas[size_t(PartitionRole::kFollower)]));
  out.Set("quipu_parked_acknowledgements", static_cast<double>(all.parked_acks));
  out.Set("quipu_fetch_waiters", static_cast<double>(all.fetch_waiters));
  out.Set("quipu_unsynced_bytes", static_cast<double>(all.unsynced_bytes));
  out.Set("quipu_peer_connections", static_cast<double>(sources_.peers.connections()));
  out.Set("quipu_replica_undurable_bytes", static_cast<double>(all.undurable_pushed_bytes));
  out.Set("quipu_damaged_batches", static_cast<double>(all.damaged_batches));
  out.Set("quipu_repaired_batches_total", static_cast<double>(all.repaired_batches));
  out.Set("quipu_repair_reads", static_cast<double>(all.repair_reads));
  out.Set("quipu_admin_requests_waiting", static_cast<double>(state.admin_requests));
  for (const auto& [kind, count] : all.groups_by_state) {
    out.Family("quipu_groups").Add({kind.first, kind.second}, static_cast<double>(count));
  }
  out.Set("quipu_group_requests_waiting", static_cast<double>(all.group_requests_waiting));
  out.Set("quipu_group_offsets_expired_total", static_cast<double>(sum.expired_offsets));
  out.Set("quipu_groups_expired_total", static_cast<double>(sum.expired_groups));
  out.Set("quipu_group_bytes", static_cast<double>(all.group_bytes));
  out.Set("quipu_produce_in_flight_bytes", static_cast<double>(state.in_flight_bytes));
  out.Set("quipu_disk_full", state.disk_full ? 1 : 0);
  out.Set("quipu_disk_free_bytes_min", static_cast<double>(state.disk_free_bytes_min));
  const uint64_t index = state.image == nullptr ? 0 : state.image->index().value();
  out.Set("quipu_metadata_index", static_cast<double>(index));
  out.Set("quipu_broker_epoch", static_cast<double>(state.broker_epoch.value()));
}

void BrokerMetrics::AddTopics(const Gathered& shards, const MetadataImage* image,
                              MetricSet& out) const {
  absl::btree_map<TopicId, TopicCounters> sums;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    for (const auto& [topic, counters] : shard->counters.topics) {
      TopicCounters& sum = sums[topic];
      sum.produced_records += counters.produced_records;
      sum.produced_bytes += counters.produced_bytes;
      sum.consumed_records += counters.consumed_records;
      sum.consumed_bytes += counters.consumed_bytes;
    }
  }
  MetricFamily& produced_records = out.Family("quipu_topic_produced_records_total");
  MetricFamily& produced_bytes = out.Family("quipu_topic_produced_bytes_total");
  MetricFamily& consumed_records = out.Family("quipu_topic_consumed_records_total");
  MetricFamily& consumed_bytes = out.Family("quipu_topic_consumed_bytes_total");
  for (const auto& [topic, sum] : sums) {
    const std::string* name = TopicName(image, topic);
    if (name == nullptr) continue;
    produced_records.Add({*name}, static_cast<double>(sum.produced_records));
    produced_bytes.Add({*name}, static_cast<double>(sum.produced_bytes));
    consumed_records.Add({*name}, static_cast<double>(sum.consumed_records));
    consumed_bytes.Add({*name}, static_cast<double>(sum.consumed_bytes));
  }
}

size_t BrokerMetrics::AddPartitions(const Gathered& shards, const MetadataImage* image,
                                    MetricSet& out) const {
  MetricFamily& log_start = out.Family("quipu_partition_log_start_offset");
  MetricFamily& high_watermark = out.Family("quipu_partition_high_watermark");
  MetricFamily& log_end = out.Family("quipu_partition_log_end_offset");
  MetricFamily& follower_lag = out.Family("quipu_replica_lag_records");
  MetricFamily& bytes = out.Family("quipu_replica_log_bytes");
  size_t told = 0;
  size_t left_out = 0;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    left_out += shard->partitions_left_out;
    for (const PartitionMetrics& partition : shard->partitions) {
      const std::string* name = TopicName(image, partition.topic);
      if (name == nullptr) continue;
      if (told >= settings_.metrics.partitions_max) {
        ++left_out;
        continue;
      }
      ++told;
      const std::vector<std::string> labels = {*name, partition.index.ToString()};
      if (const std::optional<int64_t> size = sizes_.Of(partition.uid)) {
        bytes.Add(labels, static_cast<double>(*size));
      }
      if (partition.role != PartitionRole::kLeader) continue;
      log_start.Add(labels, static_cast<double>(partition.log_start.value()));
      high_watermark.Add(labels, static_cast<double>(partition.high_watermark.value()));
      log_end.Add(labels, static_cast<double>(partition.log_end.value()));
      for (const PartitionCore::FollowerLag& lag : partition.followers) {
        follower_lag.Add({*name, partition.index.ToString(), lag.follower.ToString()},
                         static_cast<double>(lag.records));
      }
    }
  }
  return left_out;
}

Refusals::Counts BrokerMetrics::RefusalCounts() const {
  Refusals::Counts counts = sources_.refusals.counts();
  for (const ErrorCode error : kUsualRefusals) {
    counts[{"Log/Produce", error}] += 0;
    if (sources_.kafka != nullptr) counts[{"Kafka/Produce", error}] += 0;
  }
  return counts;
}

void BrokerMetrics::AddLog(MetricSet& out) const {
  const WalWriter& writer = *sources_.storage.writer;
  const WalStats stats = writer.stats();
  out.Family("quipu_wal_sync_seconds").Add({}, stats.sync);
  out.Family("quipu_wal_group_bytes").Add({}, stats.group_bytes);
  out.Family("quipu_wal_group_submissions").Add({}, stats.group_submissions);
  out.Set("quipu_wal_queued_bytes", static_cast<double>(writer.queued_bytes()));
  out.Set("quipu_wal_write_in_progress_seconds",
          std::chrono::duration<double>(writer.WriteInProgressFor()).count());
}

void BrokerMetrics::AddJournal(MetricSet& out) const {
  const JournalStats journal =
      sources_.storage.journal_stats == nullptr ? JournalStats() : sources_.storage.journal_stats();
  out.Set("quipu_journal_segments", static_cast<double>(journal.segments));
  out.Set("quipu_journal_segment_bytes", static_cast<double>(journal.segment_bytes));
  out.Set("quipu_journal_spare_bytes", static_cast<double>(journal.spare_bytes));
  MetricFamily& segments = out.Family("quipu_journal_segments_total");
  segments.Add({"made"}, static_cast<double>(journal.made));
  segments.Add({"recycled"}, static_cast<double>(journal.recycled));
  segments.Add({"freed"}, static_cast<double>(journal.freed));
  out.Set("quipu_journal_moved_bytes_total", static_cast<double>(journal.moved_bytes));
  out.Set("quipu_journal_unflushed_bytes", static_cast<double>(journal.unflushed_bytes));
  out.Set("quipu_journal_replayed_groups", static_cast<double>(journal.replayed_groups));
  out.Set("quipu_journal_replay_seconds", journal.replay_seconds);
  out.Set("quipu_journal_direct", journal.direct ? 1 : 0);
}

void BrokerMetrics::AddKafka(MetricSet& out) const {
  const FrameServerCounts counts =
      sources_.kafka == nullptr ? FrameServerCounts() : sources_.kafka->counts();
  out.Set("quipu_kafka_connections", static_cast<double>(counts.connections));
  MetricFamily& came = out.Family("quipu_kafka_connections_total");
  came.Add({"accepted"}, static_cast<double>(counts.accepted));
  came.Add({"refused"}, static_cast<double>(counts.refused));
  MetricFamily& ended = out.Family("quipu_kafka_connections_ended_total");
  ended.Add({"idle"}, static_cast<double>(counts.closed_idle));
  ended.Add({"stalled"}, static_cast<double>(counts.closed_stalled));
  ended.Add({"faulty"}, static_cast<double>(counts.closed_faulty));
  out.Set("quipu_kafka_received_bytes_total", static_cast<double>(counts.received_bytes));
  out.Set("quipu_kafka_sent_bytes_total", static_cast<double>(counts.sent_bytes));
  out.Set("quipu_kafka_request_bytes", static_cast<double>(counts.memory_bytes));
  out.Set("quipu_kafka_answer_bytes", static_cast<double>(counts.answer_bytes));
  out.Set("quipu_kafka_requests_waited_total", static_cast<double>(counts.paused));
}

}  // namespace quipu
