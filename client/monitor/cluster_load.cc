// ProgressTracker: what brokers have counted, and their producers.
#include <algorithm>
#include <functional>
#include <set>

#include "client/monitor/cluster_progress.h"

namespace quipu {
namespace {

// Sequences go from 0 to 2^31 - 1 and begin again.
constexpr int64_t kSequences = int64_t{1} << 31;

void AddTo(std::optional<double>& sum, const std::optional<double>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

// The value that `quantile` of what was counted are not above, in milliseconds: linear within its
// bucket, the last bound for what is above it. nullopt: nothing was counted. `counts` has one
// entry more than `bounds_nanos`.
std::optional<double> QuantileMs(double quantile, const std::vector<int64_t>& bounds_nanos,
                                 const std::vector<uint64_t>& counts) {
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  if (total == 0 || bounds_nanos.empty()) return std::nullopt;
  const double wanted = quantile * static_cast<double>(total);
  double seen = 0;
  for (size_t i = 0; i < bounds_nanos.size(); ++i) {
    const auto count = static_cast<double>(counts[i]);
    if (count > 0 && seen + count >= wanted) {
      const double low = i == 0 ? 0 : static_cast<double>(bounds_nanos[i - 1]);
      const double high = static_cast<double>(bounds_nanos[i]);
      return (low + (high - low) * (wanted - seen) / count) / 1e6;
    }
    seen += count;
  }
  return static_cast<double>(bounds_nanos.back()) / 1e6;
}

}  // namespace

std::optional<double> ProgressTracker::CounterRate(History& history, std::optional<Instant> began,
                                                   Instant at, uint64_t value) const {
  if (history.empty() && began) Note(history, *began, Offset(0));
  Note(history, at, Offset(static_cast<int64_t>(value)));
  return RateOf(history);
}

void ProgressTracker::AddLoads(const ClusterSample& sample, ClusterProgress& progress) {
  std::map<std::string, TopicProgress> topics;
  for (const PartitionProgress& partition : progress.partitions) {
    TopicProgress& topic = topics[partition.now.name.topic];
    ++topic.partitions;
    AddTo(topic.records_per_second, partition.records_per_second);
  }
  std::set<std::pair<BrokerId, std::string>> seen;
  std::set<BrokerId> brokers;
  for (const ClusterSample::BrokerLoad& load : sample.loads) {
    brokers.insert(load.broker);
    // A topic that the broker had not counted anything of before has begun since.
    const std::optional<Instant> began =
        loads_before_.contains(load.broker) ? before_ : std::nullopt;
    for (const auto& [name, bytes] : load.topics) {
      const auto topic = topics.find(name);
      if (topic == topics.end()) continue;
      const auto key = std::make_pair(load.broker, name);
      seen.insert(key);
      TopicHistory& history = loads_[key];
      AddTo(topic->second.produced_bytes_per_second,
            CounterRate(history.produced, began, sample.at, bytes.produced));
      AddTo(topic->second.consumed_bytes_per_second,
            CounterRate(history.consumed, began, sample.at, bytes.consumed));
    }
  }
  std::erase_if(loads_, [&seen](const auto& entry) { return !seen.contains(entry.first); });
  loads_before_ = std::move(brokers);
  for (auto& [name, topic] : topics) {
    topic.name = name;
    AddTo(progress.produced_bytes_per_second, topic.produced_bytes_per_second);
    AddTo(progress.consumed_bytes_per_second, topic.consumed_bytes_per_second);
    progress.topics.push_back(std::move(topic));
  }
}

void ProgressTracker::AddLatency(const ClusterSample& sample, ClusterProgress& progress) {
  std::vector<uint64_t> window;
  const std::vector<int64_t>* bounds = nullptr;
  for (const ClusterSample::BrokerLoad& load : sample.loads) {
    std::deque<LatencyPoint>& points = produce_times_[load.broker];
    // Another process, or another version of it: it counts anew.
    const bool anew =
        !points.empty() && (points.back().counts.size() != load.produce_times.size() ||
                            !std::equal(load.produce_times.begin(), load.produce_times.end(),
                                        points.back().counts.begin(), std::greater_equal<>()));
    if (anew) points.clear();
    points.push_back({.at = sample.at, .counts = load.produce_times});
    // The newest of those that are older than the window stays: the window begins there.
    while (points.size() > 2 && sample.at - points[1].at >= rate_window_) points.pop_front();
    if (points.size() < 2 || load.bounds_nanos.empty()) continue;  // an older broker tells no times
    if (bounds != nullptr && *bounds != load.bounds_nanos) continue;  // cannot be added up
    bounds = &load.bounds_nanos;
    window.resize(load.produce_times.size());
    for (size_t i = 0; i < window.size(); ++i) {
      window[i] += points.back().counts[i] - points.front().counts[i];
    }
  }
  std::erase_if(produce_times_, [&sample](const auto& entry) {
    return std::none_of(sample.loads.begin(), sample.loads.end(),
                        [&entry](const auto& load) { return load.broker == entry.first; });
  });
  if (bounds == nullptr) return;
  progress.produce_p50_ms = QuantileMs(0.5, *bounds, window);
  progress.produce_p99_ms = QuantileMs(0.99, *bounds, window);
}

void ProgressTracker::AddProducers(const ClusterSample& sample, ClusterProgress& progress) {
  progress.producers_known = sample.producers_known;
  std::map<int64_t, ProducerProgress> producers;
  std::set<std::pair<int64_t, NamedPartition>> seen;
  for (const ClusterSample::Producer& producer : sample.producers) {
    const auto key = std::make_pair(producer.id, producer.partition);
    seen.insert(key);
    ProducerHistory& history = producers_[key];
    int64_t counted = 0;
    if (!history.records.empty()) {
      // A new epoch begins at sequence 0.
      const int64_t before = history.epoch == producer.epoch ? history.last_sequence : -1;
      counted = history.records.back().offset.value() +
                (producer.last_sequence - before + kSequences) % kSequences;
    }
    Note(history.records, sample.at, Offset(counted));
    history.epoch = producer.epoch;
    history.last_sequence = producer.last_sequence;
    ProducerProgress& one = producers[producer.id];
    one.id = producer.id;
    one.epoch = std::max(one.epoch, producer.epoch);
    one.partitions.push_back(producer.partition);
    one.last_timestamp = std::max(one.last_timestamp, producer.last_timestamp);
    AddTo(one.records_per_second, RateOf(history.records));
  }
  std::erase_if(producers_, [&seen](const auto& entry) { return !seen.contains(entry.first); });
  for (auto& [id, one] : producers) {
    std::sort(one.partitions.begin(), one.partitions.end());
    progress.producers.push_back(std::move(one));
  }
}

}  // namespace quipu
