// The production Executor: one thread, one mailbox, one deadline heap.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/event_source.h"
#include "runtime/executor.h"

namespace quipu {

// Runs what is posted on one thread of its own, in the order of Post, one whole batch per wake-up,
// so that a busy mailbox costs one lock and no system call for many messages.
//
// The mailbox has no limit of its own: Post cannot fail. What fills it is bounded where it enters
// the process (pending requests per stream, in-flight bytes, stream write queues).
//
// With an EventSource what happens there runs on the thread too, between two batches: no other
// thread has to be woken for it.
//
// Post and PostAfter: any thread, also the own one. After Stop both drop their work.
class ShardThread final : public Executor {
 public:
  // Starts the thread. `name` shows in `top -H`; at most 15 bytes of it are used.
  explicit ShardThread(std::string name, std::shared_ptr<EventSource> events = nullptr);
  // As Stop.
  ~ShardThread() override;
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  void Post(std::function<void()> work) override;
  // A negative `delay` counts as none. Work of equal deadlines runs in the order of PostAfter.
  void PostAfter(Duration delay, std::function<void()> work) override;
  // Reads the system's clocks; any thread.
  [[nodiscard]] Now GetNow() const override;

  // Runs what was posted before, drops what is still waiting for its time, joins. Not from the own
  // thread. Work dropped is destroyed here.
  void Stop();
  // Whether the caller runs on this executor.
  [[nodiscard]] bool IsCurrent() const { return std::this_thread::get_id() == runs_on_.load(); }
  // Posted and not yet run, roughly; for metrics.
  [[nodiscard]] size_t mailbox_size() const;

 private:
  struct Timed {
    Instant due;
    uint64_t sequence;
    std::function<void()> work;
  };
  static bool RunsLater(const Timed& a, const Timed& b) {
    return a.due != b.due ? a.due > b.due : a.sequence > b.sequence;
  }
  void Run();
  // Takes what is due into `batch`, waiting while there is nothing. False: stopped and drained.
  bool NextBatch(std::vector<std::function<void()>>& batch);
  // Until something is posted, happens or is due. What happens may post: it need not wake anybody,
  // for the wait ends with it.
  void Sleep(std::unique_lock<std::mutex>& lock);
  void Wake();

  const std::shared_ptr<EventSource> events_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;  // without events_
  std::vector<std::function<void()>> mailbox_;
  std::vector<Timed> timed_;  // a heap, earliest first
  uint64_t next_sequence_ = 0;
  bool sleeping_ = false;
  bool stopped_ = false;
  std::string name_;
  std::atomic<std::thread::id> runs_on_;  // set by the thread itself
  std::thread thread_;
};

// Both clocks now, as an Executor reports them.
Now ReadClocks();

}  // namespace quipu
