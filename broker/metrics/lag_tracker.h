// How far consumer groups are behind, in time, and whether they get on.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/time.h"
#include "core/coordinator/group_state.h"

namespace quipu {

// As Burrow's rules, which have no thresholds: what counts is how a group moved over a window.
enum class LagState {
  kOk = 0,
  kWarn = 1,     // commits offsets, and its lag grew from look to look
  kStalled = 2,  // commits the same offset again and again, and records wait
  kStopped = 3,  // commits nothing, and records wait
};

// Looks at committed offsets and log ends at even intervals and remembers a little of both: per
// partition at most kEndsMax ends, thinned out the older they are, and per partition of a group the
// last kWindow looks. What a look does not name is forgotten, so its size follows what is there.
// Pure: no clock inside. One owner.
class LagTracker {
 public:
  static constexpr size_t kWindow = 10;
  static constexpr size_t kEndsMax = 32;

  // A partition of a group.
  struct Observation {
    std::string group;
    TopicPartition partition;
    Offset committed;
    TimestampMs committed_at;
    Offset end;  // the high watermark, exclusive
  };
  // One look; `now` does not go back.
  void Look(Instant now, const std::vector<Observation>& all);

  // For how long the record at `committed` has waited. Zero when `end` says that there is none. The
  // high watermark is taken to have moved evenly between two looks; before the first look nothing
  // is known, so the time since then is the least that it can be.
  [[nodiscard]] Duration Lag(Instant now, const TopicPartition& partition, Offset committed,
                             Offset end) const;
  // By the last kWindow looks; kOk before there were so many.
  [[nodiscard]] LagState State(const std::string& group, const TopicPartition& partition) const;

 private:
  struct End {
    Instant at;
    Offset offset;
  };
  struct Commit {
    Offset offset;
    TimestampMs at;
    int64_t lag;
  };
  using Ends = std::deque<End>;
  using Window = std::deque<Commit>;

  static void AddEnd(Ends& ends, End end);
  static LagState Judge(const Window& window);

  absl::btree_map<TopicPartition, Ends> ends_;
  absl::btree_map<std::pair<std::string, TopicPartition>, Window> windows_;
};

}  // namespace quipu
