#include "runtime/shard_thread.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace quipu {

Now ReadClocks() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return Now{Instant(std::chrono::duration_cast<Duration>(mono)),
             TimestampMs(std::chrono::duration_cast<std::chrono::milliseconds>(wall).count())};
}

ShardThread::ShardThread(std::string name, std::shared_ptr<EventSource> events)
    : events_(std::move(events)), name_(std::move(name)) {
  name_.resize(std::min<size_t>(name_.size(), 15));
  thread_ = std::thread([this] { Run(); });
}

ShardThread::~ShardThread() { Stop(); }

void ShardThread::Post(std::function<void()> work) {
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return;
    mailbox_.push_back(std::move(work));
    wake = std::exchange(sleeping_, false) && !IsCurrent();
  }
  if (wake) Wake();
}

void ShardThread::PostAfter(Duration delay, std::function<void()> work) {
  const Instant due = ReadClocks().mono + std::max(delay, Duration(0));
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return;
    const bool first = timed_.empty() || due < timed_.front().due;
    timed_.push_back(Timed{due, next_sequence_++, std::move(work)});
    std::push_heap(timed_.begin(), timed_.end(), RunsLater);
    if (first) wake = std::exchange(sleeping_, false) && !IsCurrent();
  }
  if (wake) Wake();
}

void ShardThread::Wake() {
  if (events_) {
    events_->Wake();
  } else {
    wake_.notify_one();
  }
}

Now ShardThread::GetNow() const { return ReadClocks(); }

size_t ShardThread::mailbox_size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return mailbox_.size();
}

bool ShardThread::NextBatch(std::vector<std::function<void()>>& batch) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    const bool check_clock = !timed_.empty();
    const Instant now = check_clock ? ReadClocks().mono : Instant();
    while (!stopped_ && !timed_.empty() && timed_.front().due <= now) {
      std::pop_heap(timed_.begin(), timed_.end(), RunsLater);
      mailbox_.push_back(std::move(timed_.back().work));
      timed_.pop_back();
    }
    if (!mailbox_.empty()) {
      batch.swap(mailbox_);
      return true;
    }
    if (stopped_) return false;
    sleeping_ = true;
    Sleep(lock);
    sleeping_ = false;
  }
}

void ShardThread::Sleep(std::unique_lock<std::mutex>& lock) {
  std::optional<Instant> due;
  if (!timed_.empty()) due = timed_.front().due;
  if (events_) {
    lock.unlock();
    events_->Wait(due);
    lock.lock();
  } else if (due) {
    const auto until = std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(due->time_since_epoch()));
    wake_.wait_until(lock, until, [this] { return !sleeping_ || stopped_; });
  } else {
    wake_.wait(lock, [this] { return !sleeping_ || stopped_; });
  }
}

void ShardThread::Run() {
  pthread_setname_np(pthread_self(), name_.c_str());
  runs_on_.store(std::this_thread::get_id());
  std::vector<std::function<void()>> batch;
  while (NextBatch(batch)) {
    for (std::function<void()>& work : batch) {
      work();
      work = nullptr;  // what it holds must not outlive its turn
    }
    batch.clear();
    if (events_) events_->Poll();
  }
  if (events_) events_->Stop();
}

void ShardThread::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    sleeping_ = false;
  }
  Wake();
  if (thread_.joinable()) {
    QUIPU_CHECK_MSG(!IsCurrent(), "a ShardThread cannot stop itself");
    thread_.join();
  }
  std::vector<Timed> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    dropped.swap(timed_);
  }
}

}  // namespace quipu
