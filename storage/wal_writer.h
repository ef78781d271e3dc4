// Group commit: one thread that makes the writes of all shards durable together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/measure/histogram.h"
#include "base/time.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"

namespace quipu {

// Ends the process (D3, PR8). Must not return.
using FatalHandler = std::function<void(const std::string& reason)>;

// What was written so far, by group.
struct WalStats {
  Histogram sync{kLatencyBounds};      // write and sync
  Histogram group_bytes{kByteBounds};  // made durable by one sync
  Histogram group_submissions{kCountBounds};
};

// While one group syncs, the next one forms in the queue; the thread then takes everything queued
// and gives it to LogStore::Write as one group, so that grouping adapts to the disk by itself.
//
// The queue never makes a shard wait. Who submits bounds it: a broker accepts no more than
// quipu.unsynced.tail.bytes.max per shard (reading `queued_bytes` is for metrics), and
// `Options::queued_bytes_max` is only the line beyond which that bound is evidently broken; the
// process stops there rather than run out of memory.
class WalWriter final : public LogWriter {
 public:
  struct Options {
    size_t group_bytes_max = size_t{32} << 20;  // a group is closed once it holds so much
    size_t queued_bytes_max = size_t{2} << 30;  // beyond: the submitters' bound is broken, fatal
  };

  // `store` must outlive the writer. `fatal` is called once, on the writer's thread (or on a
  // submitter's when the queue overflows), after the first failed write; nothing is completed from
  // then on.
  WalWriter(LogStore& store, FatalHandler fatal, Options options);
  WalWriter(LogStore& store, FatalHandler fatal) : WalWriter(store, std::move(fatal), Options()) {}
  // Writes and completes what is queued, then ends the thread. Nothing may be submitted any more.
  ~WalWriter() override;
  WalWriter(const WalWriter&) = delete;
  WalWriter& operator=(const WalWriter&) = delete;

  void Submit(std::vector<LogWrite> writes, std::function<void()> done) override;
  void RunOnWriter(std::function<void(LogStore&)> work) override;

  // Payload bytes submitted and not yet durable. Any thread.
  [[nodiscard]] size_t queued_bytes() const {
    return queued_bytes_.load(std::memory_order_relaxed);
  }
  // How long the present group, or other work of this thread, has been under way; zero when idle. A
  // broker sheds leadership when it is long, and exits when it is longer (D6). Any thread.
  [[nodiscard]] Duration WriteInProgressFor() const;
  // Groups written so far. Any thread.
  [[nodiscard]] uint64_t groups_written() const { return groups_.load(std::memory_order_relaxed); }
  // A copy. Any thread.
  [[nodiscard]] WalStats stats() const {
    const std::lock_guard<std::mutex> lock(stats_mutex_);
    return stats_;
  }

 private:
  struct Item {
    std::vector<LogWrite> writes;
    size_t bytes = 0;
    std::function<void()> done;           // of a submission
    std::function<void(LogStore&)> work;  // of RunOnWriter
  };

  void Run();
  void Process(std::deque<Item> items);
  // Writes [first, last) of `items` as one group and completes them. False after a failure.
  bool WriteGroup(std::deque<Item>& items, size_t first, size_t last);
  // Ends the process; false.
  bool Fail(const absl::Status& status);
  void Enqueue(Item item);

  LogStore& store_;
  const FatalHandler fatal_;
  const Options options_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;  // under mutex_
  bool stopping_ = false;   // under mutex_

  std::atomic<size_t> queued_bytes_{0};
  std::atomic<uint64_t> groups_{0};
  std::atomic<int64_t> write_began_ns_{0};  // steady clock; 0: idle
  bool failed_ = false;                     // writer's thread only
  mutable std::mutex stats_mutex_;          // held for the copy or one group's counting
  WalStats stats_;                          // under stats_mutex_
  std::thread thread_;
};

}  // namespace quipu
