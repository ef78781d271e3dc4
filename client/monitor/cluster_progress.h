// How fast a cluster moves: rates and lags from one sample of its offsets to the next. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "client/named_partition.h"

namespace quipu {

// What was found at one moment.
struct ClusterSample {
  struct Partition {
    NamedPartition name;
    BrokerId leader = kNoBroker;  // kNoBroker: none
    int replicas = 0;
    int in_sync = 0;
    // Of the leader; kNoOffset: it did not tell.
    Offset log_start_offset = kNoOffset;
    Offset log_end_offset = kNoOffset;  // end of what can be read (high watermark), exclusive
  };
  struct Group {
    std::string id;
    std::string state;
    int members = 0;
    std::map<NamedPartition, Offset> committed;
  };
  // An idempotent producer, as one partition remembers it.
  struct Producer {
    int64_t id = 0;
    int32_t epoch = 0;
    NamedPartition partition;
    int32_t last_sequence = 0;  // of its newest batch, as are the next two
    Offset last_offset = kNoOffset;
    TimestampMs last_timestamp = kNoTimestamp;
  };
  // What one broker has counted since its process began.
  struct BrokerLoad {
    struct Bytes {
      uint64_t produced = 0;  // as stored, as leader
      uint64_t consumed = 0;  // in answers to consumers
    };
    BrokerId broker = kNoBroker;
    std::map<std::string, Bytes> topics;  // those that it counted anything of
    // Batches by the time from arrival to acknowledgement: inclusive upper ends, ascending, and one
    // count for each, and one for what is above.
    std::vector<int64_t> bounds_nanos;
    std::vector<uint64_t> produce_times;
  };
  Instant at;
  int brokers = 0;
  int fenced_brokers = 0;
  std::vector<Partition> partitions;
  std::vector<Group> groups;
  std::vector<Producer> producers;   // those with the newest batches
  int64_t producers_known = 0;       // that all partitions remember, each counted in each
  std::vector<BrokerLoad> loads;     // of the brokers that answered
  std::vector<std::string> missing;  // what could not be asked, and why
};

struct PartitionProgress {
  ClusterSample::Partition now;
  std::optional<double> records_per_second;  // nullopt: not known yet
};
// Sums over partitions and brokers; nullopt: of none known yet.
struct TopicProgress {
  std::string name;
  int partitions = 0;
  std::optional<double> records_per_second;
  std::optional<double> produced_bytes_per_second;  // as stored, without replication
  std::optional<double> consumed_bytes_per_second;  // sent to consumers
};
// One producer of a cluster, over all partitions that it writes to.
struct ProducerProgress {
  int64_t id = 0;
  int32_t epoch = 0;                          // the largest that a partition has heard of
  std::vector<NamedPartition> partitions;     // in order
  std::optional<double> records_per_second;   // by its sequences; nullopt: not known yet
  TimestampMs last_timestamp = kNoTimestamp;  // of its newest batch, as it gave it
};
struct LagProgress {
  NamedPartition name;
  Offset committed = kNoOffset;
  std::optional<int64_t> lag;  // records; nullopt: the log end is not known
  std::optional<double> consumed_per_second;
  // How long ago the record that is next to be consumed was written, by when the log end went past
  // it. nullopt: not known yet. 0 without lag.
  std::optional<double> lag_seconds;
  bool lag_seconds_or_more = false;  // it was written before the first sample that is kept
};
struct GroupProgress {
  std::string id;
  std::string state;
  int members = 0;
  // Sums and, for the seconds, the largest; nullopt: of no partition known.
  std::optional<int64_t> lag;
  std::optional<double> consumed_per_second;
  std::optional<double> lag_seconds;
  bool lag_seconds_or_more = false;
  std::vector<LagProgress> partitions;
};
struct ClusterProgress {
  int brokers = 0;
  int fenced_brokers = 0;
  int offline_partitions = 0;           // without a leader
  int under_replicated_partitions = 0;  // fewer in sync than replicas
  std::optional<double> records_per_second;
  std::optional<double> produced_bytes_per_second;
  std::optional<double> consumed_bytes_per_second;
  // From a batch's arrival at its leader to its acknowledgement, of the batches of the last
  // `rate_window`, linear within a bucket as Prometheus does it; nullopt: none was acknowledged.
  std::optional<double> produce_p50_ms;
  std::optional<double> produce_p99_ms;
  std::vector<TopicProgress> topics;  // in order
  std::vector<PartitionProgress> partitions;
  std::vector<ProducerProgress> producers;  // by id
  int64_t producers_known = 0;              // as in the sample
  std::vector<GroupProgress> groups;
  std::vector<std::string> missing;
};

// Follows samples in the order of time. Rates are those of the last `rate_window`; a log end or a
// committed offset that went back (a topic made anew, offsets reset) begins anew. Keeps at most
// kSamplesMax samples of each partition. One owner; not thread-safe.
class ProgressTracker {
 public:
  static constexpr size_t kSamplesMax = 600;
  explicit ProgressTracker(Duration rate_window) : rate_window_(rate_window) {}

  // `sample.at` must not go back.
  ClusterProgress Add(const ClusterSample& sample);

 private:
  struct Point {
    Instant at;
    Offset offset;
  };
  using History = std::deque<Point>;

  void Note(History& history, Instant at, Offset offset) const;
  [[nodiscard]] std::optional<double> RateOf(const History& history) const;
  // Of a counter that began at 0 no later than `began`; nullopt: nobody knows when.
  std::optional<double> CounterRate(History& history, std::optional<Instant> began, Instant at,
                                    uint64_t value) const;
  void AddLoads(const ClusterSample& sample, ClusterProgress& progress);
  void AddLatency(const ClusterSample& sample, ClusterProgress& progress);
  void AddProducers(const ClusterSample& sample, ClusterProgress& progress);
  LagProgress LagOf(const std::string& group, const NamedPartition& name, Offset committed,
                    Instant now);
  static void FillSeconds(const History& ends, Instant now, LagProgress& lag);

  const Duration rate_window_;
  // What one broker has counted of one topic.
  struct TopicHistory {
    History produced;
    History consumed;
  };
  struct ProducerHistory {
    int32_t epoch = 0;
    int32_t last_sequence = 0;
    History records;  // counted from the first sample on
  };
  struct LatencyPoint {
    Instant at;
    std::vector<uint64_t> counts;
  };

  std::map<NamedPartition, History> ends_;
  std::map<std::pair<BrokerId, std::string>, TopicHistory> loads_;
  std::map<BrokerId, std::deque<LatencyPoint>> produce_times_;
  std::optional<Instant> before_;    // the sample before
  std::set<BrokerId> loads_before_;  // the brokers that it had
  std::map<std::pair<int64_t, NamedPartition>, ProducerHistory> producers_;
  std::map<std::pair<std::string, NamedPartition>, History> committed_;
};

}  // namespace quipu
