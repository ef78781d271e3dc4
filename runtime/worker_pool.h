// A few threads for work that blocks: cold reads of the store.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace quipu {

// First come, first served; two pieces of work may run at the same time and end in any order.
// The queue has no limit of its own: what enters is bounded by its callers (fetch waiters and
// replica credit). Thread-safe.
class WorkerPool {
 public:
  WorkerPool(const std::string& name, size_t threads);
  // As Stop.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // After Stop the work is dropped.
  void Run(std::function<void()> work);
  // Pieces of work that no thread has begun.
  [[nodiscard]] size_t queued() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return queue_.size();
  }
  // Finishes all queued work, then joins. Not from a worker.
  void Stop();

 private:
  void Work();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::string name_;
  std::vector<std::thread> threads_;
};

}  // namespace quipu
