// The inside of Consumer: the brain behind one lock, its requests on one owner thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "client/admin.h"
#include "client/broker_connections.h"
#include "client/client_config.h"
#include "client/consumer.h"
#include "client/observe/observers.h"
#include "core/client/consumer_core.h"
#include "runtime/shard_thread.h"

namespace quipu {

class Consumer::Impl {
 public:
  Impl(ConsumerSettings settings, std::unique_ptr<Admin> admin, ConsumerHooks hooks, uint64_t seed);
  ~Impl();

  // ---- consumer_impl.cc ----
  absl::Status Subscribe(std::vector<std::string> topics, RebalanceListener listener);
  absl::Status Assign(const std::vector<NamedPartition>& partitions);
  std::vector<NamedPartition> Assignment() const;
  std::vector<NamedPartition> Paused() const;
  absl::StatusOr<std::vector<ConsumerRecord>> Poll(Duration timeout);
  using PartitionAction = std::function<bool(FetchCore&, const TopicPartition&)>;
  absl::Status WithPartition(const NamedPartition& partition, const PartitionAction& action);
  absl::StatusOr<OffsetAndMetadata> Position(const NamedPartition& partition) const;
  absl::StatusOr<Offset> HighWatermark(const NamedPartition& partition) const;
  absl::StatusOr<std::vector<NamedPartition>> PartitionsOf(const std::string& topic);
  absl::Status ConnectionStatus() const;
  std::string member_id() const;
  absl::Status Close(Duration timeout);
  Admin& admin() { return *admin_; }
  ConsumerObserver& observer() { return observer_; }
  Duration api_timeout() const { return settings_.default_api_timeout; }

  // ---- consumer_offsets.cc ----
  NamedOffsets Positions() const;
  void Commit(const NamedOffsets& offsets, Duration timeout, CommitCallback done);
  absl::Status CommitAndWait(const NamedOffsets& offsets, Duration timeout);
  absl::StatusOr<NamedOffsets> Committed(const std::vector<NamedPartition>& partitions,
                                         Duration timeout);

 private:
  struct Rebalance {
    NamedOffsets assigned;
    std::vector<NamedPartition> revoked;
    std::vector<NamedPartition> lost;
  };
  using ResultFn = std::function<void(const OffsetOpResult&)>;

  // ---- with the lock ----
  [[nodiscard]] std::optional<TopicPartition> Resolve(const NamedPartition& partition) const;
  [[nodiscard]] NamedPartition NameOf(const TopicPartition& partition) const;
  absl::Status WaitForTopic(std::unique_lock<std::mutex>& lock, const std::string& topic);
  // ---- consumer_rebalance.cc: the listener, in the calling thread, without the lock ----
  void RunRebalances(std::unique_lock<std::mutex>& lock);
  // Gives all partitions up, with the listener's commits, and leaves the group.
  void Unsubscribe(std::unique_lock<std::mutex>& lock);
  // Before the group is left: all that is owned is revoked.
  void RevokeAll(std::unique_lock<std::mutex>& lock, Duration timeout);
  void CommitBeforeRevocation(Duration timeout);
  // What Poll has to tell when there are neither records nor errors of partitions.
  absl::Status Trouble(Instant now);
  [[nodiscard]] absl::Status TopicTrouble(const std::string& topic, Instant now) const;
  absl::Status ConnectionTrouble(Instant now);
  void AutoCommit(Instant now);
  void WakeLocked();
  absl::StatusOr<PartitionOffsets> ResolveAll(const NamedOffsets& offsets) const;

  // ---- owner thread ----
  void WantTurn();
  void Turn();
  // Runs `input` on the brain and takes care of what it brings about.
  void Input(const std::function<void(ConsumerCore&, Instant, ConsumerEffects&)>& input);
  // Hands events to the application's side; returns the callbacks to run without the lock.
  std::vector<std::function<void()>> TakeEventsLocked(ConsumerEffects& effects);
  void ScheduleLocked(Instant now);
  // observe/consumer_statistics.cc: runs the statistics callback, and once more after
  // statistics.interval.ms.
  void TellStatistics();
  [[nodiscard]] ConsumerStatistics StatisticsLocked() const;
  // A commit was answered; no lock is held.
  void NoteCommit(const NamedOffsets& offsets, ErrorCode error);

  const ConsumerSettings settings_;
  std::unique_ptr<Admin> admin_;
  ConsumerObserver observer_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ConsumerCore core_;                              // guarded by mutex_
  RebalanceListener listener_;                     // the polling thread's
  std::deque<Rebalance> rebalances_;               // guarded
  std::map<uint64_t, ResultFn> waiting_;           // guarded; by token
  uint64_t last_token_ = 0;                        // guarded
  std::vector<std::string> subscribed_;            // guarded
  bool assigned_by_hand_ = false;                  // guarded
  std::map<std::string, TopicId> topics_by_hand_;  // guarded
  std::optional<Instant> unreachable_since_;       // guarded
  bool turn_posted_ = false;                       // guarded
  bool closed_ = false;                            // guarded
  Instant next_auto_commit_;                       // guarded

  bool turn_wanted_ = false;      // owner thread
  std::optional<Instant> timer_;  // guarded

  const std::unique_ptr<CallThread> calls_ = CallThread::ForExecutor();
  ShardThread owner_;
  BrokerConnections connections_;
};

}  // namespace quipu
