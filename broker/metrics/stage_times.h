// How long the batches of one led partition take until they are durable and committed.
#pragma once

#include <cstddef>
#include <deque>

#include "base/ids.h"
#include "base/measure/histogram.h"
#include "base/time.h"

namespace quipu {

// Remembers the batches that are appended and not yet committed: at most kBatchesMax, more are not
// measured. All offsets are exclusive ends, ascending. Shard thread only.
class StageTimes {
 public:
  static constexpr size_t kBatchesMax = 10000;

  void OnAppended(Offset end, Instant now) {
    if (open_.size() < kBatchesMax) open_.push_back({.end = end, .since = now});
  }
  // Everything below `durable_end` is synced here: `sync` gets the times since the appends.
  void OnDurable(Offset durable_end, Instant now, Histogram& sync) {
    for (; synced_ < open_.size() && open_[synced_].end <= durable_end; ++synced_) {
      sync.Observe(now - open_[synced_].since);
      open_[synced_].since = now;
    }
  }
  // Everything below `high_watermark` is committed: `replication` gets the times since the syncs.
  // What is committed was synced here before.
  void OnCommitted(Offset high_watermark, Instant now, Histogram& replication) {
    while (synced_ > 0 && open_.front().end <= high_watermark) {
      replication.Observe(now - open_.front().since);
      open_.pop_front();
      --synced_;
    }
  }
  // The leadership ended, or another began: what is open is nobody's.
  void Clear() {
    open_.clear();
    synced_ = 0;
  }
  [[nodiscard]] bool empty() const { return open_.empty(); }

 private:
  struct Batch {
    Offset end;
    Instant since;  // the append, then the sync
  };
  std::deque<Batch> open_;
  size_t synced_ = 0;  // of open_, from the front
};

}  // namespace quipu
