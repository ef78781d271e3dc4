#include "controller/process/controller_metrics_endpoint.h"

#include <utility>

#include "base/status_macros.h"
#include "core/metadata/topic_config.h"
#include "runtime/metrics/node_metrics.h"
#include "storage/posix/posix_file.h"

namespace quipu {
namespace {

double Number(LogIndex index) { return static_cast<double>(index.value()); }

void AddRaft(const ControllerMetrics& raft, MetricSet& out) {
  out.Set("quipu_controller_active", raft.active ? 1 : 0);
  out.Set("quipu_raft_term", static_cast<double>(raft.term.value()));
  out.Set("quipu_raft_commit_index", Number(raft.commit_index));
  out.Set("quipu_raft_applied_index", Number(raft.applied_index));
  const bool behind = raft.applied_index < raft.commit_index;
  out.Set("quipu_raft_apply_lag_entries",
          behind ? static_cast<double>(raft.commit_index - raft.applied_index) : 0);
  out.Set("quipu_raft_last_index", Number(raft.last_index));
  out.Set("quipu_raft_durable_index", Number(raft.durable_index));
  out.Set("quipu_raft_snapshot_index", Number(raft.snapshot_index));
  out.Set("quipu_controller_proposal_bytes", static_cast<double>(raft.uncommitted_bytes));
  out.Set("quipu_controller_waiting_answers", static_cast<double>(raft.waiting_answers));
  out.Set("quipu_raft_dropped_messages_total", static_cast<double>(raft.dropped_messages));
  out.Set("quipu_raft_voters", static_cast<double>(raft.voters));
  for (const auto& [voter, match] : raft.match_indexes) {
    out.Family("quipu_raft_voter_match_index").Add({voter.ToString()}, Number(match));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControllerMetricsEndpoint>> ControllerMetricsEndpoint::Start(
    const ControllerSettings& settings, Sources sources) {
  std::unique_ptr<ControllerMetricsEndpoint> endpoint(
      new ControllerMetricsEndpoint(settings, sources));
  QUIPU_ASSIGN_OR_RETURN(endpoint->server_,
                         MetricsServer::Start(settings.metrics.host, settings.metrics.port,
                                              [self = endpoint.get()] { return self->Collect(); }));
  return endpoint;
}

MetricSet ControllerMetricsEndpoint::Collect() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Instant began = ReadClocks().mono;
  const auto gathered =
      gatherer_.Gather(settings_.metrics.scrape_timeout,
                       [this](size_t /*only*/, Gatherer<ControllerMetrics>::Done done) {
                         sources_.node.CollectMetrics(std::move(done));
                       });
  MetricSet out;
  size_t left_out = 0;
  if (const auto& raft = gathered.newest.front()) {
    AddRaft(*raft, out);
    // An old answer must not speak for the cluster: another may lead by now.
    const bool speaks = raft->image != nullptr && gathered.incomplete == 0;
    if (speaks) left_out = AddCluster(*raft->image, out);
  }
  out.Family("quipu_raft_sync_seconds").Add({}, sources_.ports.sync_times());
  const absl::StatusOr<int64_t> free_bytes = DiskFreeBytes(settings_.log_dir);
  const FilesUse wal = UseOfFiles(sources_.directory.database_path(), DataDirectory::kWalSuffix)
                           .value_or(FilesUse{.files = -1, .bytes = -1});
  AddNodeMetrics({.role = "controller",
                  .node_id = settings_.node.controller_id.ToString(),
                  .cluster_id = settings_.node.cluster_id.ToText(),
                  .unsafe_plaintext_network = settings_.unsafe_plaintext_network,
                  .disk_free_bytes = free_bytes.value_or(-1),
                  .wal_files = wal.files,
                  .wal_file_bytes = wal.bytes,
                  .queues = sources_.ports.QueueDepths(),
                  .refusals = sources_.refusals.counts(),
                  .incomplete = gathered.incomplete,
                  .left_out = {{"partition", left_out}},
                  .gathered_in = ReadClocks().mono - began},
                 out);
  return out;
}

size_t ControllerMetricsEndpoint::AddCluster(const MetadataImage& image, MetricSet& out) const {
  size_t active = 0;
  for (const auto& [id, broker] : image.brokers()) active += broker.fenced ? 0 : 1;
  out.Set("quipu_cluster_active_brokers", static_cast<double>(active));
  out.Set("quipu_cluster_fenced_brokers", static_cast<double>(image.brokers().size() - active));
  size_t offline = 0;
  size_t under_replicated = 0;
  size_t under_min_isr = 0;
  for (const auto& [uid, partition] : image.partitions()) {
    const TopicImage* topic = image.FindTopic(partition.topic_id);
    if (partition.leader == kNoBroker) ++offline;
    if (partition.isr.size() < partition.replicas.size()) ++under_replicated;
    const auto min_isr =
        topic == nullptr ? size_t{1} : static_cast<size_t>(EffectiveMinIsr(*topic, partition));
    if (partition.isr.size() < min_isr) ++under_min_isr;
  }
  out.Set("quipu_cluster_offline_partitions", static_cast<double>(offline));
  out.Set("quipu_cluster_under_replicated_partitions", static_cast<double>(under_replicated));
  out.Set("quipu_cluster_under_min_isr_partitions", static_cast<double>(under_min_isr));
  return AddPartitions(image, out);
}

size_t ControllerMetricsEndpoint::AddPartitions(const MetadataImage& image, MetricSet& out) const {
  MetricFamily& topics = out.Family("quipu_topic_partitions");
  MetricFamily& replicas = out.Family("quipu_partition_replicas");
  MetricFamily& isr = out.Family("quipu_partition_isr_size");
  MetricFamily& leader = out.Family("quipu_partition_leader");
  MetricFamily& preferred = out.Family("quipu_partition_leader_is_preferred");
  MetricFamily& under_replicated = out.Family("quipu_partition_under_replicated");
  size_t left_out = 0;
  for (const auto& [id, topic] : image.topics()) {
    if (replicas.rows().size() + topic.partitions.size() > settings_.metrics.partitions_max) {
      left_out += topic.partitions.size();
      continue;
    }
    topics.Add({topic.name}, static_cast<double>(topic.partitions.size()));
    for (const PartitionUid uid : topic.partitions) {
      const PartitionImage* partition = image.FindPartition(uid);
      if (partition == nullptr) continue;
      const std::vector<std::string> labels = {topic.name, partition->index.ToString()};
      replicas.Add(labels, static_cast<double>(partition->replicas.size()));
      isr.Add(labels, static_cast<double>(partition->isr.size()));
      leader.Add(labels, partition->leader.value());
      const bool first =
          !partition->replicas.empty() && partition->leader == partition->replicas.front();
      preferred.Add(labels, first ? 1 : 0);
      under_replicated.Add(labels, partition->isr.size() < partition->replicas.size() ? 1 : 0);
    }
  }
  return left_out;
}

}  // namespace quipu
