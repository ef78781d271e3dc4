// The leader's side of replication: pushes to each follower what it lacks, within the byte credit
// that the follower granted, from memory at the tail and by cold reads behind it. Batches go out as
// soon as they are submitted to the log, synced or not: what counts as replicated is the follower's
// durable end alone (PR1).
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "broker/shard/shard_context.h"

namespace quipu {

// An accepted replica stream, shared by the shards that it is spread over. Immutable but for the
// credit. Thread-safe.
struct ReplicaStream {
  uint64_t id = 0;  // later streams have greater ids
  BrokerId follower;
  BrokerEpoch follower_epoch;
  std::shared_ptr<MessageSender<LeaderToReplica>> sender;
  // Bytes that may be pushed. A push may take it below zero once, so that a batch larger than what
  // is left never blocks the stream for ever.
  std::atomic<int64_t> credit{0};
};
using ReplicaStreamPtr = std::shared_ptr<ReplicaStream>;

// A message carries at most so many bytes of batches, or one larger batch alone.
inline constexpr size_t kReplicaMessageBytesMax = size_t{1} << 20;

inline constexpr Duration kHighWatermarkDelay = std::chrono::milliseconds(5);

// Shard thread only.
class ReplicaSender {
 public:
  // `context` must outlive the sender.
  explicit ReplicaSender(ShardContext& context) : context_(context) {}

  void OnUpdates(const ReplicaStreamPtr& stream, const std::vector<ReplicaUpdate>& updates);
  // The follower granted more: what waited for credit may go on.
  void OnCredit(const ReplicaStreamPtr& stream);
  void OnStreamClosed(const ReplicaStreamPtr& stream);
  // From Absorb: an error or divergence for one follower.
  void Answer(PartitionHost& host, BrokerId follower, ReplicaPush push);
  // The host is going away.
  void Forget(PartitionUid uid);
  // End of turn: sends to the followers of `host` what they lack. A high watermark alone waits for
  // batches to go with, but at most kHighWatermarkDelay: nobody reads from followers, and no
  // acknowledgement waits for it.
  void Send(PartitionHost& host) { Send(host, /*high_watermark_alone=*/false); }
  // End of turn, after the last Send: what was gathered goes to the streams.
  void Flush();

 private:
  struct Follower {
    ReplicaStreamPtr stream;
    bool reading = false;  // a cold read is on its way
  };
  struct Outgoing {
    ReplicaStreamPtr stream;
    LeaderToReplica message;
    size_t bytes = 0;
    absl::btree_set<PartitionUid> blocked;  // wait for credit
    absl::btree_set<PartitionUid> members;
  };

  Outgoing& OutgoingOf(const ReplicaStreamPtr& stream);
  void Send(PartitionHost& host, bool high_watermark_alone);
  void SendTo(PartitionHost& host, BrokerId id, Follower& follower, bool high_watermark_alone);
  void DeferHighWatermark(PartitionUid uid);
  void StartColdRead(PartitionHost& host, BrokerId id, Follower& follower,
                     const PartitionCore::SendPlan& plan);
  void OnColdRead(PartitionUid uid, BrokerId id, Offset from, LeaderEpoch epoch,
                  const absl::StatusOr<std::vector<StoredBatch>>& batches);
  void Push(PartitionHost& host, BrokerId id, const ReplicaStreamPtr& stream,
            const PartitionCore::SendPlan& plan, const std::vector<StoredBatch>& batches);
  void Enqueue(Outgoing& outgoing, ReplicaPush push, size_t bytes);
  static void SendMessage(Outgoing& outgoing);

  ShardContext& context_;
  absl::flat_hash_map<PartitionUid, absl::btree_map<BrokerId, Follower>>
      followers_;  // never walked
  absl::btree_map<uint64_t, Outgoing> streams_;
  absl::btree_set<PartitionUid> deferred_;  // high watermarks to tell; empty: no timer runs
};

}  // namespace quipu
