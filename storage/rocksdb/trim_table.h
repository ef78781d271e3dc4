// Which keys of the data families are of no use any more, for RocksDB's compactions.
#pragma once

#include <memory>
#include <mutex>

#include "absl/container/btree_map.h"
#include "base/ids.h"
#include "rocksdb/compaction_filter.h"

namespace quipu {

// What a compaction is told when it begins; never changes afterwards.
struct TrimView {
  // Logs that live, with their durable log starts.
  absl::btree_map<LogId, Offset> log_starts;
  // Ids from here on were given out after this view was made: not ours to judge.
  LogId next_log_id{0};

  // Whether a batch or index entry that ends at `last_offset` may go: it lies below its log's
  // start, or its log is dead.
  [[nodiscard]] bool IsDead(LogId log_id, Offset last_offset) const;
};

// The newest view. Only durable facts may be put in (a log start before its sync would let a crash
// find batches missing). Thread-safe. Before the first Publish nothing is dead.
class TrimTable {
 public:
  // Everything at once, at open.
  void Publish(TrimView view);
  void AddLog(LogId log_id);
  void RemoveLog(LogId log_id);
  // Never lowers a log start; unknown logs are ignored.
  void RaiseLogStart(LogId log_id, Offset log_start);
  [[nodiscard]] std::shared_ptr<const TrimView> Snapshot() const;

 private:
  mutable std::mutex mutex_;
  TrimView view_;                                   // under mutex_
  mutable std::shared_ptr<const TrimView> shared_;  // under mutex_; copy of view_, made on demand
};

// Drops dead keys while a table file is written. Judges by the key alone: no blob is ever read for
// it. `table` is shared with the store.
enum class TrimFamily { kLog, kTimeIndex };
std::shared_ptr<rocksdb::CompactionFilterFactory> MakeTrimFilter(
    std::shared_ptr<const TrimTable> table, TrimFamily family);

}  // namespace quipu
