// A replica's disk for tests: what is synced survives a crash, what is not is gone.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/replication/partition_types.h"
#include "core/replication/producer_table.h"

namespace quipu {

// A stored batch; its leader epoch by name (EpochNames).
inline void AddBatch(const Bytes& batch, Fingerprint& state) {
  constexpr size_t kLeaderEpochAt = 12;
  state.Add(batch.view().substr(0, kLeaderEpochAt), RecordBatchView::Parse(batch)->leader_epoch(),
            batch.view().substr(kLeaderEpochAt + sizeof(int32_t)));
}

class FakeDisk {
 public:
  static constexpr size_t kSnapshotsKept = 3;  // as the stores do
  struct Write {
    LogMutation mutation;
    Offset log_end;
    bool truncating = false;
  };

  void Submit(Write write) { unsynced_.push_back(std::move(write)); }
  [[nodiscard]] bool idle() const { return unsynced_.empty(); }
  [[nodiscard]] const std::vector<Write>& unsynced() const { return unsynced_; }  // oldest first
  [[nodiscard]] bool truncating() const {
    return !unsynced_.empty() && unsynced_.back().truncating;
  }

  // Syncs the oldest write and gives it back.
  Write SyncOne() {
    Write write = std::move(unsynced_.front());
    unsynced_.erase(unsynced_.begin());
    Apply(write.mutation);
    return write;
  }
  void Crash() { unsynced_.clear(); }
  // Recoveries find the synced batch that begins at `base` damaged, until it is repaired. Other
  // readers get it.
  void Damage(Offset base) { damaged_.insert(base); }
  void Repair(Offset base) { damaged_.erase(base); }
  // Nothing but a recovery after a crash reads it.
  void ForgetState() {
    state_ = {};
    for (Write& write : unsynced_) write.mutation.state.reset();
  }

  // The synced log, as a store would find it.
  [[nodiscard]] RecoveredLog Recover() const {
    RecoveredLog log{
        .state = state_, .log_end_offset = log_end(), .epochs = epochs_, .producers = {}};
    ProducerTable table;
    Offset from{0};
    for (const auto& [as_of, producers] : snapshots_) {
      if (as_of > log.log_end_offset) continue;
      table.Restore(producers);
      from = as_of;
    }
    for (const StoredBatch& batch : batches_) {
      if (batch.base_offset < from) continue;
      if (damaged_.contains(batch.base_offset)) {
        log.damaged.push_back(
            {.first_offset = batch.base_offset, .last_offset = batch.last_offset});
      } else {
        table.Replay(*RecordBatchView::Parse(batch.bytes));
      }
    }
    log.producers = table.Entries();
    return log;
  }
  // Batches that end above `from`, synced or not.
  [[nodiscard]] std::vector<StoredBatch> ReadWritten(Offset from) const {
    std::vector<StoredBatch> found;
    const auto take = [&](const std::vector<StoredBatch>& batches) {
      for (const StoredBatch& batch : batches) {
        if (batch.last_offset >= from) found.push_back(batch);
      }
    };
    take(batches_);
    for (const Write& write : unsynced_) take(write.mutation.appends);
    return found;
  }
  [[nodiscard]] const std::vector<StoredBatch>& synced() const { return batches_; }
  [[nodiscard]] Offset log_start() const { return state_.log_start_offset; }
  [[nodiscard]] Offset log_end() const {
    const Offset end = batches_.empty() ? Offset{0} : batches_.back().last_offset + 1;
    return std::max(end, state_.log_start_offset);
  }
  [[nodiscard]] const PartitionState& state() const { return state_; }
  [[nodiscard]] size_t snapshots() const { return snapshots_.size(); }
  // Everything, synced or not.
  void AddTo(Fingerprint& state) const {
    const auto add_state = [&state](const PartitionState& s) {
      state.Add(s.leader_epoch, s.partition_epoch, s.log_start_offset, s.high_watermark);
    };
    const auto add_batches = [&state](const std::vector<StoredBatch>& batches) {
      state.Add(batches.size());
      for (const StoredBatch& batch : batches) AddBatch(batch.bytes, state);
    };
    add_state(state_);
    add_batches(batches_);
    state.Add(epochs_, snapshots_.size(), unsynced_.size());
    for (const auto& [as_of, producers] : snapshots_) state.Add(as_of, producers);
    for (const Write& write : unsynced_) {
      const LogMutation& mutation = write.mutation;
      state.Add(write.log_end, write.truncating, mutation.truncate_to, mutation.epochs,
                mutation.state.has_value(), mutation.producers.has_value());
      add_batches(mutation.appends);
      if (mutation.state) add_state(*mutation.state);
      if (mutation.producers) state.Add(mutation.producers->as_of, mutation.producers->producers);
    }
  }

 private:
  void Apply(const LogMutation& mutation) {
    if (mutation.truncate_to) {
      std::erase_if(batches_,
                    [&](const StoredBatch& b) { return b.last_offset >= *mutation.truncate_to; });
      snapshots_.erase(snapshots_.upper_bound(*mutation.truncate_to), snapshots_.end());
    }
    batches_.insert(batches_.end(), mutation.appends.begin(), mutation.appends.end());
    if (mutation.epochs) epochs_ = *mutation.epochs;
    if (mutation.state) state_ = *mutation.state;
    if (mutation.producers) snapshots_[mutation.producers->as_of] = mutation.producers->producers;
    if (snapshots_.size() > kSnapshotsKept) snapshots_.erase(snapshots_.begin());
    std::erase_if(batches_,
                  [&](const StoredBatch& b) { return b.last_offset < state_.log_start_offset; });
  }

  std::vector<Write> unsynced_;
  std::set<Offset> damaged_;
  PartitionState state_;
  std::vector<StoredBatch> batches_;
  std::vector<EpochEntry> epochs_;
  std::map<Offset, std::vector<ProducerEntry>> snapshots_;  // by as-of offset, the newest few
};

}  // namespace quipu
