// The owner of the partitions with uid mod S equal to its index: it drives their cores, and between
// two turns everything that they brought about goes out in order - one submission to the log, then
// messages, then replies.
//
// A turn is what its executor ran since the last flush. It runs the very same on a thread and on
// the simulator's virtual time. All methods: shard thread only, unless said otherwise.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "broker/group/coordinators.h"
#include "broker/repair/repair_server.h"
#include "broker/repair/repairer.h"
#include "broker/repair/scrubber.h"
#include "broker/replica/replica_fetcher.h"
#include "broker/replica/replica_sender.h"
#include "broker/shard/fetch_waiters.h"
#include "broker/shard/offset_queries.h"
#include "broker/shard/partition_reader.h"
#include "broker/shard/reconciler.h"
#include "broker/shard/retention.h"
#include "broker/shard/shard_context.h"
#include "broker/shard/shard_log.h"
#include "broker/shard/shard_requests.h"

namespace quipu {

class BrokerShard final : public ShardContext {
 public:
  // `propose_isr` is thread-safe; its answer comes to OnIsrResults.
  BrokerShard(std::shared_ptr<const BrokerConfig> broker_config, BrokerPorts& broker_ports,
              size_t shard_index, Rng shard_rng, std::function<void(IsrProposal)> propose_isr);

  // Before Start: the other shards (maybe this one too), by index. They share one vector.
  void SetPeers(std::shared_ptr<const std::vector<std::weak_ptr<BrokerShard>>> peers) {
    peers_ = std::move(peers);
  }
  // Before Start: a log that the directory holds.
  void AddFound(FoundLog log) { reconciler_.AddFound(std::move(log)); }
  void SetNewestActed(LogIndex acted) { reconciler_.SetNewestActed(acted); }
  void Start() {
    retention_.Start();
    scrubber_.Start();
  }

  // ---- from the control executor ----
  // `new_image` is at or after the registration that gave `epoch`.
  void ApplyImage(MetadataImagePtr new_image, BrokerEpoch epoch);
  void OnIsrResult(const IsrResult& result);

  // ---- from the router ----
  void Produce(std::vector<ProducePart> parts, const std::shared_ptr<ProduceJoin>& join);
  void StartFetch(FetchJob job) { waiters_.Start(std::move(job)); }
  void DeleteRecords(const DeleteRecordsQuery::Items& items,
                     const DeleteRecordsQuery::JoinPtr& join);
  OffsetQueries& queries() { return queries_; }
  ReplicaSender& replica_sender() { return sender_; }
  RepairServer& repair_server() { return repair_server_; }
  Coordinators& coordinators() { return coordinators_; }
  // What it counted and owns; of at most `partitions_max` partitions, and of as many partitions of
  // groups. Changes nothing that decides.
  [[nodiscard]] ShardMetrics Metrics(size_t partitions_max) const;
  // Everything that waits here is answered with `error`; nothing is taken afterwards.
  void FailAll(ErrorCode error);

  void Absorb(PartitionHost& host, PartitionEffects& effects) override;
  void RequestTurn() override;
  DamageVerdict OnDamage(PartitionUid uid, const absl::Status& damage) override {
    return repairer_.OnDamage(uid, damage);
  }
  void AwaitRepair(PartitionUid uid, LogId log_id, const RecoveredLog& recovered,
                   std::function<void(bool given_up)> done) override {
    repairer_.Await(uid, log_id, recovered, std::move(done));
  }
  void ForgetRepair(PartitionUid uid) override { repairer_.Forget(uid); }

 private:
  using ProduceDone = std::function<void(const ProduceReply& reply)>;
  // Appends one batch; `done` is called once, at the end of a turn.
  void Append(PartitionHost& host, ProduceInput input, ProduceDone done);
  FetchPeers MakeFetchPeers();
  void ReadFor(size_t home, uint64_t wait_id, const std::vector<ReadSlot>& slots, size_t bytes_max);
  void WatchFor(size_t home, uint64_t wait_id, const std::vector<WatchRequest>& watches);
  void Unwatch(size_t home, uint64_t wait_id, const std::vector<PartitionUid>& uids);
  // Runs `work` on shard `to`: at once when it is this one.
  void OnShard(size_t to, std::function<void(BrokerShard&)> work);
  void ReportProgress(PartitionHost& host, bool look);

  // Takes what an input to `host.core` brought about into the counters.
  void Count(PartitionHost& host, const PartitionEffects& effects);
  // What was counted for a topic goes with it.
  void ForgetDeletedTopics();
  void EndTurn();
  void SendReplies();
  void OnSettled(PartitionHost& host);
  void OnRemoved(PartitionHost& host);
  void ScheduleDeadline(PartitionHost& host);
  void ArmTimer();
  void OnTimer();
  void FinishProduce(PartitionUid uid, const ProduceReply& reply,
                     const std::shared_ptr<ProduceJoin>& join, size_t slot, Instant arrived);

  const std::function<void(IsrProposal)> propose_isr_;
  std::shared_ptr<const std::vector<std::weak_ptr<BrokerShard>>> peers_;

  ShardLog log_;
  PartitionReader reader_;
  FetchWaiters waiters_;
  OffsetQueries queries_;
  Retention retention_;
  ReplicaSender sender_;
  ReplicaFetcher fetcher_;
  Coordinators coordinators_;
  Reconciler reconciler_;
  Repairer repairer_;
  RepairServer repair_server_;
  Scrubber scrubber_;

  // ---- who waits for an answer of a core ----
  ReplyToken next_token_ = 1;
  absl::flat_hash_map<ReplyToken, ProduceDone> produces_;  // iterated only after sorting
  struct PendingDelete {
    DeleteRecordsQuery::JoinPtr join;
    size_t slot;
  };
  absl::btree_map<ReplyToken, PendingDelete> deletes_;
  bool closed_ = false;

  // ---- this turn ----
  bool turn_scheduled_ = false;
  bool roles_changed_ = false;
  std::vector<PartitionUid> touched_;
  std::vector<std::pair<PartitionUid, ProduceReply>> replies_;
  std::vector<DeleteRecordsReply> delete_replies_;
  std::vector<IsrProposal> proposals_;

  // ---- deadlines ----
  absl::btree_set<std::pair<Instant, PartitionUid>> deadlines_;
  std::optional<Instant> armed_at_;
};

}  // namespace quipu
