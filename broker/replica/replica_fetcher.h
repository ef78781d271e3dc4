// The follower's side of replication: one stream from this shard to each broker that leads one of
// its partitions, all partitions of that leader batched on it.
//
// The follower sends positions at any time and grants byte credit; the leader pushes. Credit comes
// back as pushed batches become durable, so what a leader may have on the way to memory is bounded
// by quipu.replica.credit.bytes per stream. A broken stream is opened again with jittered back-off
// as long as a partition follows that leader. Shard thread only.
#pragma once

#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "broker/shard/shard_context.h"

namespace quipu {

class ReplicaFetcher {
 public:
  // `context` must outlive the fetcher.
  explicit ReplicaFetcher(ShardContext& context) : context_(context) {}
  ~ReplicaFetcher();

  // The image or a role changed: streams are opened and closed to fit the leaders followed now, and
  // who follows in a new leader epoch says where it stands.
  void Reconcile();
  // From Absorb: positions for the leader of `host`; sent at Flush.
  void AddUpdates(PartitionHost& host, std::vector<ReplicaUpdate> updates);
  // Everything below `durable_end` of the host's log is synced: its share of credit comes back.
  void OnDurable(PartitionHost& host);
  // End of turn: one message per stream.
  void Flush();

  // Pushed by all leaders and not yet durable here; quipu.replica.credit.bytes bounds it per
  // stream.
  [[nodiscard]] size_t undurable_bytes() const;

 private:
  // Who follows this leader, and in which leader epoch.
  using Members = absl::btree_map<PartitionUid, LeaderEpoch>;
  struct Link {
    HostPort endpoint;
    BrokerEpoch leader_epoch;  // broker epoch of the leader that the stream was opened to
    BrokerEpoch own_epoch;     // that the stream was opened with
    uint64_t generation = 0;   // of the stream; 0: none open
    std::unique_ptr<MessageSender<ReplicaToLeader>> sender;
    bool reopening = false;  // a back-off is running
    int failures = 0;        // since the last message
    Members members;
    std::vector<ReplicaUpdate> updates;  // of this turn
    int64_t credit = 0;                  // to be granted with the next message
    // Pushed batches not yet durable, by partition: end offset and bytes.
    absl::btree_map<PartitionUid, std::vector<std::pair<Offset, int64_t>>> undurable;
    // The leader's copy of what comes next is damaged; said once in the log.
    absl::btree_set<PartitionUid> damaged;
  };

  void Fit(BrokerId leader, Link& link, Members wanted);
  void AskPosition(PartitionHost& host);
  void Open(BrokerId leader, Link& link);
  void CloseStream(Link& link);
  void Forget(Link& link, PartitionUid uid);
  void ScheduleReopen(BrokerId leader, Link& link);
  void OnMessage(BrokerId leader, uint64_t generation, LeaderToReplica message);
  void OnPush(BrokerId leader, Link& link, ReplicaPush push);
  void OnClosed(BrokerId leader, uint64_t generation, const absl::Status& status);
  [[nodiscard]] const BrokerImage* Reachable(BrokerId leader) const;

  ShardContext& context_;
  absl::btree_map<BrokerId, Link> links_;
  uint64_t next_generation_ = 1;
};

}  // namespace quipu
