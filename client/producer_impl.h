// The inside of Producer: one lock between the sending threads and the owner thread.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/broker_connections.h"
#include "client/client_config.h"
#include "client/observe/observers.h"
#include "client/producer.h"
#include "core/client/producer_core.h"
#include "core/client/record_accumulator.h"
#include "runtime/shard_thread.h"

namespace quipu {

// Send appends to the accumulator in the calling thread and wakes the owner only when a batch was
// opened or closed. The owner's turn takes batches under the lock; encoding, sending and
// callbacks are outside it.
class Producer::Impl {
 public:
  Impl(ProducerSettings settings, ProducerHooks hooks, uint64_t seed);
  ~Impl();

  void Send(const ProducerRecord& record, Callback callback);
  ErrorCode TrySend(const ProducerRecord& record, Callback& callback);
  absl::Status Flush(Duration timeout);
  absl::Status Close(Duration timeout);
  absl::StatusOr<std::pair<ProducerId, ProducerEpoch>> WaitForIdentity(Duration timeout);
  absl::StatusOr<int32_t> PartitionCount(absl::string_view topic, Duration timeout);
  ProducerStats stats() const;
  ProducerObserver& observer() { return observer_; }

 private:
  struct Waiting {
    std::vector<Callback> callbacks;  // by place in the batch
  };

  // ---- any thread, with the lock ----
  ErrorCode AppendLocked(const ProducerRecord& record, Callback& callback, const Now& now);
  // Sends what is open when the buffer is full of nothing else.
  void MakeRoomLocked();
  // Why the accumulator refuses `record`.
  std::string RefusalLocked(const ProducerRecord& record, ErrorCode error) const;
  void WakeLocked();
  // Asks for the topic and waits: kNone once it is known.
  ErrorCode WaitForTopicLocked(std::unique_lock<std::mutex>& lock, absl::string_view topic,
                               Instant deadline, std::string& message);

  // ---- owner thread ----
  void WantTurn();
  void Turn();
  void Dispatch(ProducerEffects effects);
  void Deliver(ProducerEffects& effects);
  // Runs the callbacks of the reports from `first` on and of what a failure takes along now. True:
  // a failure was among them that takes along what is queued.
  bool TellDeliveries(ProducerEffects& effects, size_t first);
  void PublishLocked(Instant now);
  // Runs the statistics callback, and once more after statistics.interval.ms.
  void TellStatistics();
  void ScheduleLocked(Instant now);

  const ProducerSettings settings_;
  ProducerObserver observer_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  RecordAccumulator accumulator_;                                 // guarded by mutex_
  absl::flat_hash_map<uint64_t, Waiting> waiting_;                // guarded; by batch id
  size_t callbacks_guess_ = 16;                                   // guarded
  std::set<std::string> wanted_topics_;                           // guarded
  std::map<std::string, ErrorCode> topic_errors_;                 // guarded; of wanted topics
  std::optional<std::pair<ProducerId, ProducerEpoch>> identity_;  // guarded
  ErrorCode fatal_ = ErrorCode::kNone;                            // guarded
  absl::Status reachability_;                                     // guarded
  ProducerStats stats_;                                           // guarded
  bool turn_posted_ = false;                                      // guarded
  bool closed_ = false;                                           // guarded
  bool stopped_ = false;                                          // guarded

  ProducerCore core_;             // owner thread
  bool turn_wanted_ = false;      // owner thread
  std::optional<Instant> timer_;  // owner thread: the earliest one pending

  const std::unique_ptr<CallThread> calls_ = CallThread::ForExecutor();
  ShardThread owner_;
  BrokerConnections connections_;
};

}  // namespace quipu
