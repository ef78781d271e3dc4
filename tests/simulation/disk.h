// The simulated disks: what was synced survives a crash, what was not may vanish.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/broker_identity.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/memory_log_store.h"
#include "storage/raft_store.h"
#include "tests/simulation/world.h"

namespace quipu::sim {

struct DiskOptions {
  Duration sync_min = std::chrono::microseconds(100);
  Duration sync_max = std::chrono::microseconds(3000);
  uint64_t slow_sync = 0;  // chance in 10,000 of a sync that takes up to 500 ms
  // Chance in 10,000 that of a group under way at a crash, which does not survive whole, the first
  // few mutations do.
  uint64_t torn_tail = 0;
};

// What becomes of the next group of writes; the process ends (PR8).
enum class DiskFault {
  kNone,
  kWriteError,  // EIO or ENOSPC: nothing of it is on the disk
  kSyncError,   // written, and fsync failed: all, some or nothing of it is on the disk
};

struct DiskCounters {
  uint64_t syncs = 0;
  uint64_t slow_syncs = 0;
  uint64_t unsynced_lost = 0;       // groups dropped at a crash
  uint64_t synced_unconfirmed = 0;  // groups on the disk whose completion nobody saw
  uint64_t torn_tails = 0;          // groups of which a part is on the disk
  uint64_t write_errors = 0;
  uint64_t sync_errors = 0;
  uint64_t stall_exits = 0;  // processes that ended themselves since the disk did not answer
};

// Lives as long as the machine, across the incarnations of its process. A copy is the whole disk as
// it was then.
class BrokerDisk final : public WatermarkFile {
 public:
  [[nodiscard]] MemoryLogStore& store() { return store_; }

  // What opening a broker's storage does with a log that has lost its end: the proof fails, the
  // directory is marked as unclean, and what is left goes on (D4).
  void Open() {
    if (lost_tail_) unclean_ = true;
    lost_tail_ = false;
  }
  // The log goes back to what `older` holds; the watermark, in a file of its own, does not.
  void LoseTail(const BrokerDisk& older) {
    store_ = older.store_;
    lost_tail_ = true;
  }

  // A power loss takes the name of the watermark file: the next start makes another one, which
  // knows no epoch, and marks the directory as unclean (D4).
  void LoseWatermark() {
    unclean_ = true;
    broker_epoch_ = kNoBrokerEpoch;
    last_group_ = 0;
  }

  absl::Status StoreBrokerEpoch(BrokerEpoch epoch) override {
    broker_epoch_ = epoch;
    unclean_ = false;
    return absl::OkStatus();
  }
  [[nodiscard]] BrokerEpoch broker_epoch() const override { return broker_epoch_; }
  absl::Status StoreLastGroup(uint64_t group) override {
    last_group_ = group;
    return absl::OkStatus();
  }
  [[nodiscard]] uint64_t last_group() const override { return last_group_; }
  [[nodiscard]] bool unclean() const override { return unclean_; }

 private:
  MemoryLogStore store_;
  bool unclean_ = false;
  bool lost_tail_ = false;
  BrokerEpoch broker_epoch_ = kNoBrokerEpoch;
  uint64_t last_group_ = 0;
};

// Group commit of one incarnation in virtual time.
class SimLogWriter final : public LogWriter {
 public:
  SimLogWriter(World& world, ProcessPtr process, LogStore& store, DiskOptions options,
               DiskCounters& counters)
      : world_(world),
        process_(std::move(process)),
        store_(store),
        options_(options),
        counters_(counters) {}

  void Submit(std::vector<LogWrite> writes, std::function<void()> done) override;
  void RunOnWriter(std::function<void(LogStore&)> work) override;
  // The process dies. What was not synced is lost, except that the group on its way to the disk may
  // have made it there.
  void Crash();
  // Called when a sync begins that will take so long.
  std::function<void(Duration)> on_sync;
  // Called for every group just before it becomes durable.
  std::function<void(const std::vector<LogWrite>&)> on_durable;
  // The next group fails like this; `fatal` ends the process.
  void Arm(DiskFault fault) { fault_ = fault; }
  std::function<void(const std::string& reason)> fatal;
  // No write that is under way or begins now ends before `until`.
  void StallUntil(Instant until) { stalled_until_ = until; }
  // How long the group under way has been, on the process's clock; zero: none is.
  [[nodiscard]] Duration WriteInProgressFor() const;

 private:
  struct Item {
    std::vector<LogWrite> writes;
    std::function<void()> done;
    std::function<void(LogStore&)> work;
  };
  void StartSync();
  void FinishSync();
  void Apply(const Item& item);
  // The first `count` mutations of the group under way reach the disk.
  void ApplySome(size_t count);
  [[nodiscard]] size_t MutationsUnderWay() const;
  [[noreturn]] void Fail();

  World& world_;
  ProcessPtr process_;
  LogStore& store_;
  DiskOptions options_;
  DiskCounters& counters_;
  std::deque<Item> queue_;
  size_t syncing_ = 0;  // items of the group under way
  Instant sync_began_;  // on the process's clock
  Instant stalled_until_;
  DiskFault fault_ = DiskFault::kNone;
};

// The Raft disk of a controller: Persist in order, in virtual time.
class SimRaftDisk {
 public:
  SimRaftDisk(World& world, ProcessPtr process, RaftStore& store, DiskOptions options,
              DiskCounters& counters)
      : world_(world),
        process_(std::move(process)),
        store_(store),
        options_(options),
        counters_(counters) {}
  void Persist(RaftWrite write, std::function<void()> done);
  void Crash();
  // Called when the sync of a write begins that will take so long.
  std::function<void(const RaftWrite&, Duration)> on_sync;
  // The next write fails like this; `fatal` ends the process.
  void Arm(DiskFault fault) { fault_ = fault; }
  std::function<void(const std::string& reason)> fatal;
  // No write that is under way or begins now ends before `until`.
  void StallUntil(Instant until) { stalled_until_ = until; }

 private:
  struct Item {
    RaftWrite write;
    std::function<void()> done;
  };
  void StartSync();
  void FinishSync();
  [[noreturn]] void Fail();

  World& world_;
  ProcessPtr process_;
  RaftStore& store_;
  DiskOptions options_;
  DiskCounters& counters_;
  std::deque<Item> queue_;
  bool syncing_ = false;
  Instant stalled_until_;
  DiskFault fault_ = DiskFault::kNone;
};

}  // namespace quipu::sim
