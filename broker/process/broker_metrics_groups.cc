// What BrokerMetrics tells of the groups that are coordinated here, and the looks that it takes for
// it.
#include <algorithm>
#include <vector>

#include "broker/process/broker_metrics.h"

namespace quipu {
namespace {

// From the question to leaders until the look that uses their answers.
constexpr Duration kAnswersTake = std::chrono::milliseconds(500);

}  // namespace

void BrokerMetrics::ScheduleLooks() {
  const Duration interval = settings_.metrics.lag_interval;
  const Duration pause = std::min<Duration>(interval / 2, kAnswersTake);
  looks_.PostAfter(interval - pause, [this, pause] {
    const MetadataImagePtr image = sources_.node.MetricsState().image;
    if (image != nullptr) leaders_.Ask(*image, elsewhere_);
    looks_.PostAfter(pause, [this] {
      Look();
      ScheduleLooks();
    });
  });
}

BrokerMetrics::Ends BrokerMetrics::EndsHere(const Gathered& shards,
                                            const MetadataImage* image) const {
  Ends ends;
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    for (const PartitionMetrics& replica : shard->partitions) {
      const PartitionImage* partition =
          image == nullptr ? nullptr : image->FindPartition(replica.uid);
      if (partition == nullptr || replica.role == PartitionRole::kNone) continue;
      // One that is not in sync may have heard of its high watermark long ago.
      const bool in_sync = std::find(partition->isr.begin(), partition->isr.end(),
                                     settings_.node.broker_id) != partition->isr.end();
      if (in_sync) ends[{replica.topic, replica.index}] = replica.high_watermark;
    }
  }
  return ends;
}

void BrokerMetrics::Look() {
  const MetadataImagePtr image = sources_.node.MetricsState().image;
  std::vector<PartitionUid> due;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Gathered shards = Gather();
    LookAtGroups(shards, image.get());
    std::vector<const PartitionMetrics*> replicas;
    for (const auto& shard : shards.newest) {
      if (shard == nullptr) continue;
      for (const PartitionMetrics& replica : shard->partitions) replicas.push_back(&replica);
    }
    due = sizes_.Due(replicas);
  }
  const LogStore& store = *sources_.storage.store;
  for (const PartitionUid uid : due) {
    const std::optional<LogId> log = store.FindLog(uid);
    if (!log) continue;
    const int64_t bytes = store.ApproximateBytes(*log);
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_.Measured(uid, bytes);
  }
}

void BrokerMetrics::LookAtGroups(const Gathered& shards, const MetadataImage* image) {
  const Ends ends = EndsHere(shards, image);
  const Ends told = leaders_.Known();
  std::vector<LagTracker::Observation> seen;
  elsewhere_.clear();
  for (const auto& shard : shards.newest) {
    if (shard == nullptr) continue;
    for (const GroupMetrics& group : shard->groups) {
      for (const GroupMetrics::Committed& committed : group.offsets) {
        const TopicPartition partition{committed.topic, committed.index};
        auto end = ends.find(partition);
        if (end == ends.end()) {
          elsewhere_.insert(partition);
          end = told.find(partition);
          if (end == told.end()) continue;
        }
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

size_t BrokerMetrics::AddGroups(const Gathered& shards, const MetadataImage* image, Instant now,
                                MetricSet& out) const {
  Ends ends = EndsHere(shards, image);
  ends.merge(leaders_.Known());  // where both know, the replica here does
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

}  // namespace quipu
