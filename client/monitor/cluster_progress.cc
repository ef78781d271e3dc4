#include "client/monitor/cluster_progress.h"

#include <algorithm>
#include <set>

namespace quipu {
namespace {

double SecondsBetween(Instant from, Instant to) {
  return std::chrono::duration<double>(to - from).count();
}

// Adds to a sum that is unknown as long as no part of it is known.
template <typename T>
void AddKnown(std::optional<T>& sum, const std::optional<T>& part) {
  if (part) sum = sum.value_or(T{}) + *part;
}

// Forgets what the newest sample no longer names.
template <typename Key, typename Value>
void KeepOnly(std::map<Key, Value>& map, const std::set<Key>& seen) {
  std::erase_if(map, [&seen](const auto& entry) { return seen.count(entry.first) == 0; });
}

}  // namespace

void ProgressTracker::Note(History& history, Instant at, Offset offset) const {
  if (!history.empty() && offset < history.back().offset) history.clear();
  history.push_back({.at = at, .offset = offset});
  if (history.size() > kSamplesMax) history.pop_front();
}

std::optional<double> ProgressTracker::RateOf(const History& history) const {
  if (history.size() < 2) return std::nullopt;
  const Point& last = history.back();
  // The oldest point of the window; at least the one before the last.
  auto first = history.end() - 2;
  while (first != history.begin() && last.at - (first - 1)->at <= rate_window_) --first;
  const double seconds = SecondsBetween(first->at, last.at);
  if (seconds <= 0) return std::nullopt;
  return static_cast<double>(last.offset - first->offset) / seconds;
}

// The log end passed the committed offset between two samples; in between it is taken to have moved
// evenly:
//   t0: end 100    t1: end 200    committed 150    written at (t0 + t1) / 2
void ProgressTracker::FillSeconds(const History& ends, Instant now, LagProgress& lag) {
  if (!lag.lag) return;
  if (*lag.lag == 0) {
    lag.lag_seconds = 0;
    return;
  }
  // The first sample whose end is beyond the record that is next.
  const auto beyond = std::find_if(ends.begin(), ends.end(), [&lag](const Point& point) {
    return point.offset > lag.committed;
  });
  if (beyond == ends.end()) return;
  if (beyond == ends.begin()) {
    lag.lag_seconds = SecondsBetween(beyond->at, now);
    lag.lag_seconds_or_more = true;
    return;
  }
  const Point& before = *(beyond - 1);
  const double share = static_cast<double>(lag.committed - before.offset) /
                       static_cast<double>(beyond->offset - before.offset);
  lag.lag_seconds = SecondsBetween(before.at, now) - share * SecondsBetween(before.at, beyond->at);
}

LagProgress ProgressTracker::LagOf(const std::string& group, const NamedPartition& name,
                                   Offset committed, Instant now) {
  LagProgress lag{.name = name,
                  .committed = committed,
                  .lag = std::nullopt,
                  .consumed_per_second = std::nullopt,
                  .lag_seconds = std::nullopt};
  History& history = committed_[{group, name}];
  Note(history, now, committed);
  lag.consumed_per_second = RateOf(history);
  const auto ends = ends_.find(name);
  if (ends == ends_.end() || ends->second.back().at != now) return lag;  // not told this time
  // The watermark that a leader tells may be older than the commit.
  lag.lag = std::max<int64_t>(ends->second.back().offset - committed, 0);
  FillSeconds(ends->second, now, lag);
  return lag;
}

ClusterProgress ProgressTracker::Add(const ClusterSample& sample) {
  ClusterProgress progress;
  progress.brokers = sample.brokers;
  progress.fenced_brokers = sample.fenced_brokers;
  progress.missing = sample.missing;
  std::set<NamedPartition> seen;
  for (const ClusterSample::Partition& partition : sample.partitions) {
    seen.insert(partition.name);
    if (partition.leader == kNoBroker) ++progress.offline_partitions;
    if (partition.in_sync < partition.replicas) ++progress.under_replicated_partitions;
    PartitionProgress one{.now = partition, .records_per_second = std::nullopt};
    if (partition.log_end_offset != kNoOffset) {
      History& history = ends_[partition.name];
      Note(history, sample.at, partition.log_end_offset);
      one.records_per_second = RateOf(history);
      AddKnown(progress.records_per_second, one.records_per_second);
    }
    progress.partitions.push_back(std::move(one));
  }
  KeepOnly(ends_, seen);
  std::set<std::pair<std::string, NamedPartition>> seen_commits;
  for (const ClusterSample::Group& group : sample.groups) {
    GroupProgress one{.id = group.id,
                      .state = group.state,
                      .members = group.members,
                      .lag = std::nullopt,
                      .consumed_per_second = std::nullopt,
                      .lag_seconds = std::nullopt,
                      .lag_seconds_or_more = false,
                      .partitions = {}};
    for (const auto& [name, committed] : group.committed) {
      seen_commits.insert({group.id, name});
      const LagProgress lag = LagOf(group.id, name, committed, sample.at);
      AddKnown(one.lag, lag.lag);
      AddKnown(one.consumed_per_second, lag.consumed_per_second);
      if (lag.lag_seconds && *lag.lag_seconds >= one.lag_seconds.value_or(0)) {
        one.lag_seconds = lag.lag_seconds;
        one.lag_seconds_or_more = lag.lag_seconds_or_more;
      }
      one.partitions.push_back(lag);
    }
    progress.groups.push_back(std::move(one));
  }
  KeepOnly(committed_, seen_commits);
  AddLoads(sample, progress);
  AddLatency(sample, progress);
  AddProducers(sample, progress);
  before_ = sample.at;
  return progress;
}

}  // namespace quipu
