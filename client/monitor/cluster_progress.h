// How fast a cluster moves: rates and lags from one sample of its offsets to the next. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
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
  Instant at;
  int brokers = 0;
  int fenced_brokers = 0;
  std::vector<Partition> partitions;
  std::vector<Group> groups;
  std::vector<std::string> missing;  // what could not be asked, and why
};

struct PartitionProgress {
  ClusterSample::Partition now;
  std::optional<double> records_per_second;  // nullopt: not known yet
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
  std::vector<PartitionProgress> partitions;
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
  LagProgress LagOf(const std::string& group, const NamedPartition& name, Offset committed,
                    Instant now);
  static void FillSeconds(const History& ends, Instant now, LagProgress& lag);

  const Duration rate_window_;
  std::map<NamedPartition, History> ends_;
  std::map<std::pair<std::string, NamedPartition>, History> committed_;
};

}  // namespace quipu
