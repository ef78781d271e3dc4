#include "broker/process/broker_metrics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "runtime/metrics/node_metrics.h"
#include "storage/posix_file.h"

namespace quipu {
namespace {

// Told from the start, with 0, so that an alert sees the first one.
constexpr ErrorCode kUsualRefusals[] = {
    ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotEnoughReplicas, ErrorCode::kDiskFull,
    ErrorCode::kTooManyInFlightBytes, ErrorCode::kRequestTimedOut};

std::string Text(absl::string_view view) { return {view.data(), view.size()}; }

std::string ApiName(RefusedApi api) {
  switch (api) {
    case RefusedApi::kProduce:
      return "produce";
    case RefusedApi::kFetch:
      return "fetch";
  }
  return "";
}

// nullptr: a topic that is gone, or not known yet.
const std::string* TopicName(const MetadataImage* image, const TopicId& topic) {
  const TopicImage* found = image == nullptr ? nullptr : image->FindTopic(topic);
  return found == nullptr ? nullptr : &found->name;
}

void AddRefusals(const Refusals::Counts& counts, MetricSet& out) {
  Refusals::Counts all = counts;
  for (const ErrorCode error : kUsualRefusals) all[{RefusedApi::kProduce, error}] += 0;
  for (const auto& [key, count] : all) {
    out.Family("quipu_refused_total")
        .Add({ApiName(key.first), Text(ErrorName(key.second))}, static_cast<double>(count));
  }
}

}  // namespace

BrokerMetrics::BrokerMetrics(const BrokerSettings& settings, Sources sources)
    : settings_(settings), sources_(sources), gatherer_(settings.node.num_shards) {}

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
  metrics->ScheduleLook();
  return metrics;
}

void BrokerMetrics::ScheduleLook() {
  looks_.PostAfter(settings_.metrics.lag_interval, [this] {
    Look();
    ScheduleLook();
  });
}

BrokerMetrics::Gathered BrokerMetrics::Gather() {
  return gatherer_.Gather(
      settings_.metrics.scrape_timeout, [this](size_t shard, Gatherer<ShardMetrics>::Done done) {
        sources_.node.CollectMetrics(shard, settings_.metrics.partitions_max, std::move(done));
      });
}

BrokerMetrics::Ends BrokerMetrics::EndsOf(const Gathered& shards) {
  Ends ends;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    for (const PartitionMetrics& partition : shard->partitions) {
      if (partition.role == PartitionRole::kNone) continue;
      ends[{partition.topic, partition.index}] = partition.high_watermark;
    }
  }
  return ends;
}

void BrokerMetrics::Look() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Gathered shards = Gather();
  const Ends ends = EndsOf(shards);
  std::vector<LagTracker::Observation> seen;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    for (const GroupMetrics& group : shard->groups) {
      for (const GroupMetrics::Committed& committed : group.offsets) {
        const TopicPartition partition{committed.topic, committed.index};
        const auto end = ends.find(partition);
        if (end == ends.end()) continue;
        seen.push_back({.group = group.group,
                        .partition = partition,
                        .committed = committed.offset,
                        .committed_at = committed.at,
                        .end = end->second});
      }
    }
  }
  lag_.Look(looks_.GetNow().mono, seen);
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
  AddRefusals(state.refusals, out);
  AddLog(out);
  const absl::StatusOr<int64_t> free_bytes = DiskFreeBytes(settings_.log_dir);
  AddNodeMetrics(
      {.role = "broker",
       .node_id = settings_.node.broker_id.ToString(),
       .cluster_id = settings_.node.cluster_id.ToText(),
       .unsafe_plaintext_network = settings_.unsafe_plaintext_network,
       .disk_free_bytes = free_bytes.value_or(-1),
       .queues = sources_.ports.QueueDepths(),
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
    for (size_t role = 0; role < std::size(all.replicas); ++role) {
      all.replicas[role] += shard->replicas[role];
    }
    all.parked_acks += shard->parked_acks;
    all.fetch_waiters += shard->fetch_waiters;
    all.unsynced_bytes += shard->unsynced_bytes;
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
  MetricFamily& hosted = out.Family("quipu_hosted_partitions");
  hosted.Add({"none"}, static_cast<double>(all.replicas[size_t(PartitionRole::kNone)]));
  hosted.Add({"leader"}, static_cast<double>(all.replicas[size_t(PartitionRole::kLeader)]));
  hosted.Add({"follower"}, static_cast<double>(all.replicas[size_t(PartitionRole::kFollower)]));
  out.Set("quipu_parked_acknowledgements", static_cast<double>(all.parked_acks));
  out.Set("quipu_fetch_waiters", static_cast<double>(all.fetch_waiters));
  out.Set("quipu_unsynced_bytes", static_cast<double>(all.unsynced_bytes));
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
  size_t left_out = 0;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    left_out += shard->partitions_left_out;
    for (const PartitionMetrics& partition : shard->partitions) {
      const std::string* name = TopicName(image, partition.topic);
      if (partition.role != PartitionRole::kLeader || name == nullptr) continue;
      if (log_end.rows().size() >= settings_.metrics.partitions_max) {
        ++left_out;
        continue;
      }
      const std::vector<std::string> labels = {*name, partition.index.ToString()};
      log_start.Add(labels, static_cast<double>(partition.log_start.value()));
      high_watermark.Add(labels, static_cast<double>(partition.high_watermark.value()));
      log_end.Add(labels, static_cast<double>(partition.log_end.value()));
    }
  }
  return left_out;
}

size_t BrokerMetrics::AddGroups(const Gathered& shards, const MetadataImage* image, Instant now,
                                MetricSet& out) const {
  const Ends ends = EndsOf(shards);
  size_t left_out = 0;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    left_out += shard->group_partitions_left_out;
    for (const GroupMetrics& group : shard->groups) {
      if (out.Family("quipu_group_committed_offset").rows().size() + group.offsets.size() >
          settings_.metrics.partitions_max) {
        left_out += group.offsets.size();
        continue;
      }
      AddGroup(group, ends, image, now, out);
    }
  }
  return left_out;
}

void BrokerMetrics::AddGroup(const GroupMetrics& group, const Ends& ends,
                             const MetadataImage* image, Instant now, MetricSet& out) const {
  size_t unknown = 0;
  LagState worst = LagState::kOk;
  for (const GroupMetrics::Committed& committed : group.offsets) {
    const std::string* name = TopicName(image, committed.topic);
    if (name == nullptr) continue;
    const std::vector<std::string> labels = {group.group, *name, committed.index.ToString()};
    out.Family("quipu_group_committed_offset")
        .Add(labels, static_cast<double>(committed.offset.value()));
    const TopicPartition partition{committed.topic, committed.index};
    const auto end = ends.find(partition);
    if (end == ends.end()) {
      ++unknown;
      continue;
    }
    const int64_t records = std::max<int64_t>(end->second - committed.offset, 0);
    const Duration lag = lag_.Lag(now, partition, committed.offset, end->second);
    const LagState state = lag_.State(group.group, partition);
    worst = std::max(worst, state);
    out.Family("quipu_group_lag_records").Add(labels, static_cast<double>(records));
    out.Family("quipu_group_lag_seconds").Add(labels, std::chrono::duration<double>(lag).count());
    out.Family("quipu_group_partition_state").Add(labels, static_cast<double>(state));
  }
  out.Family("quipu_group_members").Add({group.group}, static_cast<double>(group.members));
  out.Family("quipu_group_state").Add({group.group}, static_cast<double>(worst));
  out.Family("quipu_group_partitions_unknown").Add({group.group}, static_cast<double>(unknown));
}

void BrokerMetrics::AddLog(MetricSet& out) const {
  const WalWriter& writer = sources_.writer;
  const WalStats stats = writer.stats();
  out.Family("quipu_wal_sync_seconds").Add({}, stats.sync);
  out.Family("quipu_wal_group_bytes").Add({}, stats.group_bytes);
  out.Family("quipu_wal_group_submissions").Add({}, stats.group_submissions);
  out.Set("quipu_wal_queued_bytes", static_cast<double>(writer.queued_bytes()));
  out.Set("quipu_wal_write_in_progress_seconds",
          std::chrono::duration<double>(writer.WriteInProgressFor()).count());
}

}  // namespace quipu
