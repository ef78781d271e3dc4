// A client's interceptors and counters.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/observe/interceptors.h"
#include "core/client/client_types.h"

namespace quipu {

// Logs an interceptor's error, at most one in 10 s. Thread-safe.
class InterceptorErrors {
 public:
  void Note(const char* where, const absl::Status& status);

 private:
  std::atomic<int64_t> quiet_until_ms_{0};
  std::atomic<uint64_t> unlogged_{0};
};

class ProducerObserver {
 public:
  explicit ProducerObserver(ProducerHooks hooks);

  // ---- any thread ----
  [[nodiscard]] bool intercepts() const { return !hooks_.interceptors.empty(); }
  // The record as the interceptors leave it; `kept` holds what it points to, and must outlive it.
  ProducerRecord BeforeSend(const ProducerRecord& record, std::deque<SendChanges>& kept);
  void Acknowledged(absl::string_view topic, const DeliveryResult& result);
  void CountSent(size_t bytes);
  void CountRefused() { refused_.fetch_add(1, std::memory_order_relaxed); }

  // ---- owner thread ----
  void CountReport(const std::string& topic, PartitionIndex partition, uint64_t records, bool ok,
                   Persisted persisted);
  void Tell(TimestampMs time, const ProducerStats& batches,
            const ProducerLatencies& latencies) const;
  [[nodiscard]] bool wants_statistics() const { return hooks_.on_statistics != nullptr; }

 private:
  const ProducerHooks hooks_;
  InterceptorErrors errors_;
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> refused_{0};
  std::map<NamedPartition, PartitionProduced> produced_;  // owner thread
};

// All but the interceptors' part is guarded by the consumer's lock.
class ConsumerObserver {
 public:
  explicit ConsumerObserver(ConsumerHooks hooks);

  // ---- any thread, without the lock ----
  [[nodiscard]] bool intercepts() const { return !hooks_.interceptors.empty(); }
  void Consumed(const std::vector<ConsumerRecord>& records);
  void Committed(const NamedOffsets& offsets);
  void Tell(const ConsumerStatistics& statistics) const { hooks_.on_statistics(statistics); }

  // ---- with the lock ----
  [[nodiscard]] bool wants_statistics() const { return hooks_.on_statistics != nullptr; }
  void Count(const std::vector<ConsumerRecord>& records);
  void CountCommit(bool ok) { ++(ok ? commits_ : commits_failed_); }
  // Counters alone; the consumer adds what it knows of each partition.
  [[nodiscard]] ConsumerStatistics Counters() const;

 private:
  const ConsumerHooks hooks_;
  InterceptorErrors errors_;
  std::map<NamedPartition, PartitionConsumed> consumed_;
  uint64_t commits_ = 0;
  uint64_t commits_failed_ = 0;
};

}  // namespace quipu
