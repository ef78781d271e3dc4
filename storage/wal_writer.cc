#include "storage/wal_writer.h"

#include <pthread.h>

#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace quipu {
namespace {

// What a mutation costs besides its batches: keys, state, bookkeeping.
constexpr size_t kMutationOverheadBytes = 128;

size_t BytesOf(const std::vector<LogWrite>& writes) {
  size_t bytes = 0;
  for (const LogWrite& write : writes) {
    bytes += kMutationOverheadBytes;
    for (const StoredBatch& batch : write.mutation.appends) bytes += batch.bytes.size();
    for (const StoredBatch& batch : write.mutation.repairs) bytes += batch.bytes.size();
  }
  return bytes;
}

int64_t SteadyNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

WalWriter::WalWriter(LogStore& store, FatalHandler fatal, Options options)
    : store_(store), fatal_(std::move(fatal)), options_(options) {
  QUIPU_CHECK(options_.group_bytes_max > 0);
  thread_ = std::thread([this] { Run(); });
}

WalWriter::~WalWriter() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void WalWriter::Submit(std::vector<LogWrite> writes, std::function<void()> done) {
  const size_t bytes = BytesOf(writes);
  Enqueue(Item{.writes = std::move(writes), .bytes = bytes, .done = std::move(done), .work = {}});
}

void WalWriter::RunOnWriter(std::function<void(LogStore&)> work) {
  Enqueue(Item{.writes = {}, .bytes = 0, .done = {}, .work = std::move(work)});
}

void WalWriter::Enqueue(Item item) {
  const size_t queued = queued_bytes_.fetch_add(item.bytes, std::memory_order_relaxed) + item.bytes;
  if (queued > options_.queued_bytes_max) {
    fatal_(absl::StrCat("the log's queue holds ", queued, " bytes, more than its submitters may"));
    return;
  }
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    QUIPU_CHECK_MSG(!stopping_, "a submission to a writer that has ended");
    wake = queue_.empty();
    queue_.push_back(std::move(item));
  }
  if (wake) wake_.notify_one();
}

void WalWriter::Run() {
  pthread_setname_np(pthread_self(), "wal-writer");
  while (true) {
    std::deque<Item> items;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      items.swap(queue_);
    }
    Process(std::move(items));
  }
}

void WalWriter::Process(std::deque<Item> items) {
  size_t next = 0;
  while (next < items.size() && !failed_) {
    if (items[next].work) {
      write_began_ns_.store(SteadyNanoseconds(), std::memory_order_relaxed);
      items[next].work(store_);
      write_began_ns_.store(0, std::memory_order_relaxed);
      ++next;
      continue;
    }
    size_t last = next;
    size_t bytes = 0;
    while (last < items.size() && !items[last].work &&
           (last == next || bytes + items[last].bytes <= options_.group_bytes_max)) {
      bytes += items[last].bytes;
      ++last;
    }
    if (!WriteGroup(items, next, last)) return;
    next = last;
  }
}

bool WalWriter::WriteGroup(std::deque<Item>& items, size_t first, size_t last) {
  std::vector<LogWrite> group;
  for (size_t i = first; i < last; ++i) {
    group.insert(group.end(), std::make_move_iterator(items[i].writes.begin()),
                 std::make_move_iterator(items[i].writes.end()));
  }
  const int64_t began = SteadyNanoseconds();
  write_began_ns_.store(began, std::memory_order_relaxed);
  const absl::Status status = group.empty() ? absl::OkStatus() : store_.Write(group);
  write_began_ns_.store(0, std::memory_order_relaxed);
  if (!status.ok()) return Fail(status);
  groups_.fetch_add(1, std::memory_order_relaxed);
  size_t bytes = 0;
  for (size_t i = first; i < last; ++i) bytes += items[i].bytes;
  {
    const std::lock_guard<std::mutex> lock(stats_mutex_);
    stats_.sync.Observe(SteadyNanoseconds() - began);
    stats_.group_bytes.Observe(static_cast<int64_t>(bytes));
    stats_.group_submissions.Observe(static_cast<int64_t>(last - first));
  }
  for (size_t i = first; i < last; ++i) {
    queued_bytes_.fetch_sub(items[i].bytes, std::memory_order_relaxed);
    if (items[i].done) items[i].done();
  }
  // A disk that stalls here stalls what is queued. What is only begun here stalls the next write.
  write_began_ns_.store(SteadyNanoseconds(), std::memory_order_relaxed);
  const absl::Status after = group.empty() ? absl::OkStatus() : store_.AfterWrite();
  write_began_ns_.store(0, std::memory_order_relaxed);
  if (!after.ok()) return Fail(after);
  return true;
}

bool WalWriter::Fail(const absl::Status& status) {
  failed_ = true;  // also when `fatal_` returns, as in tests: nothing is written or completed
  fatal_(absl::StrCat("the log could not be written: ", status.message()));
  return false;
}

Duration WalWriter::WriteInProgressFor() const {
  const int64_t began = write_began_ns_.load(std::memory_order_relaxed);
  if (began == 0) return Duration::zero();
  return Duration(SteadyNanoseconds() - began);
}

}  // namespace quipu
