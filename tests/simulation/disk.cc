#include "tests/simulation/disk.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "base/check.h"

namespace quipu::sim {
namespace {

Duration SyncTime(World& world, const DiskOptions& options, DiskCounters& counters) {
  ++counters.syncs;
  if (world.rng().Chance(options.slow_sync, 10000)) {
    ++counters.slow_syncs;
    return world.Between(std::chrono::milliseconds(20), std::chrono::milliseconds(500));
  }
  return world.Between(options.sync_min, options.sync_max);
}

const char* NameOf(DiskFault fault) {
  switch (fault) {
    case DiskFault::kNone:
      return "nothing";
    case DiskFault::kWriteError:
      return "a write failed";
    case DiskFault::kSyncError:
      return "fsync failed";
  }
  return "?";
}

}  // namespace

void SimLogWriter::Submit(std::vector<LogWrite> writes, std::function<void()> done) {
  queue_.push_back(Item{.writes = std::move(writes), .done = std::move(done), .work = nullptr});
  if (syncing_ == 0) StartSync();
}

void SimLogWriter::RunOnWriter(std::function<void(LogStore&)> work) {
  queue_.push_back(Item{.writes = {}, .done = nullptr, .work = std::move(work)});
  if (syncing_ == 0) StartSync();
}

void SimLogWriter::StartSync() {
  if (queue_.empty()) return;
  // Everything queued up to the next RunOnWriter is one group.
  syncing_ = 1;
  if (!queue_.front().work) {
    while (syncing_ < queue_.size() && !queue_[syncing_].work) ++syncing_;
  }
  const Duration time = SyncTime(world_, options_, counters_) + process_->Slowness();
  sync_began_ = process_->MonotonicNow();
  world_.After(time, process_, "sync", [this] { FinishSync(); });
  if (on_sync) on_sync(time);
}

Duration SimLogWriter::WriteInProgressFor() const {
  if (syncing_ == 0 || queue_.front().work) return Duration(0);
  return process_->MonotonicNow() - sync_began_;
}

void SimLogWriter::FinishSync() {
  if (world_.now() < stalled_until_) {
    return world_.At(stalled_until_, process_, "sync", [this] { FinishSync(); });
  }
  if (fault_ != DiskFault::kNone && !queue_.front().work) Fail();
  std::vector<std::function<void()>> completions;
  for (; syncing_ > 0; --syncing_) {
    Item item = std::move(queue_.front());
    queue_.pop_front();
    Apply(item);
    if (item.done) completions.push_back(std::move(item.done));
  }
  for (const std::function<void()>& done : completions) done();
  StartSync();
}

void SimLogWriter::Apply(const Item& item) {
  if (item.work) return item.work(store_);
  if (on_durable) on_durable(item.writes);
  const absl::Status status = store_.Write(item.writes);
  QUIPU_CHECK_MSG(status.ok(), std::string(status.message()));
}

size_t SimLogWriter::MutationsUnderWay() const {
  size_t mutations = 0;
  for (size_t i = 0; i < syncing_; ++i) mutations += queue_[i].writes.size();
  return mutations;
}

void SimLogWriter::ApplySome(size_t count) {
  if (count > 0 && count < MutationsUnderWay()) ++counters_.torn_tails;
  for (size_t i = 0; i < syncing_ && count > 0; ++i) {
    Item part = queue_[i];
    if (part.writes.size() > count) part.writes.resize(count);
    count -= part.writes.size();
    Apply(part);
  }
}

void SimLogWriter::Fail() {
  const DiskFault fault = std::exchange(fault_, DiskFault::kNone);
  if (fault == DiskFault::kSyncError) {
    ++counters_.sync_errors;
    const uint64_t draw = world_.rng().Below(3);
    const size_t all = MutationsUnderWay();
    if (draw == 0) ApplySome(all);
    if (draw == 1) ApplySome(world_.rng().Below(all + 1));
  } else {
    ++counters_.write_errors;
  }
  queue_.clear();
  syncing_ = 0;
  fatal(NameOf(fault));
  QUIPU_CHECK_MSG(false, "a process went on after a failed write");
  std::abort();
}

void SimLogWriter::Crash() {
  const bool group = syncing_ > 0 && !queue_.front().work;
  const bool group_made_it = group && world_.rng().Chance(1, 2);
  if (group_made_it) {
    ++counters_.synced_unconfirmed;
    for (size_t i = 0; i < syncing_; ++i) Apply(queue_[i]);
    counters_.unsynced_lost += queue_.size() - syncing_;
  } else {
    counters_.unsynced_lost += queue_.size();
    if (group && world_.rng().Chance(options_.torn_tail, 10000)) {
      ApplySome(world_.rng().Below(MutationsUnderWay() + 1));
    }
  }
  queue_.clear();
  syncing_ = 0;
}

void SimRaftDisk::Persist(RaftWrite write, std::function<void()> done) {
  queue_.push_back(Item{.write = std::move(write), .done = std::move(done)});
  if (!syncing_) StartSync();
}

void SimRaftDisk::StartSync() {
  if (queue_.empty()) return;
  syncing_ = true;
  const Duration time = SyncTime(world_, options_, counters_) + process_->Slowness();
  world_.After(time, process_, "raft-sync", [this] { FinishSync(); });
  if (on_sync) on_sync(queue_.front().write, time);
}

void SimRaftDisk::FinishSync() {
  if (world_.now() < stalled_until_) {
    return world_.At(stalled_until_, process_, "raft-sync", [this] { FinishSync(); });
  }
  if (fault_ != DiskFault::kNone) Fail();
  Item item = std::move(queue_.front());
  queue_.pop_front();
  syncing_ = false;
  const absl::Status status = store_.Write(item.write);
  QUIPU_CHECK_MSG(status.ok(), std::string(status.message()));
  item.done();
  StartSync();
}

void SimRaftDisk::Fail() {
  const DiskFault fault = std::exchange(fault_, DiskFault::kNone);
  if (fault == DiskFault::kSyncError) {
    ++counters_.sync_errors;
    if (world_.rng().Chance(1, 2)) {
      const absl::Status status = store_.Write(queue_.front().write);
      QUIPU_CHECK_MSG(status.ok(), std::string(status.message()));
    }
  } else {
    ++counters_.write_errors;
  }
  queue_.clear();
  syncing_ = false;
  fatal(NameOf(fault));
  QUIPU_CHECK_MSG(false, "a process went on after a failed write");
  std::abort();
}

void SimRaftDisk::Crash() {
  size_t lost = queue_.size();
  if (syncing_ && world_.rng().Chance(1, 2)) {
    ++counters_.synced_unconfirmed;
    const absl::Status status = store_.Write(queue_.front().write);
    QUIPU_CHECK_MSG(status.ok(), std::string(status.message()));
    --lost;
  }
  counters_.unsynced_lost += lost;
  queue_.clear();
  syncing_ = false;
}

}  // namespace quipu::sim
