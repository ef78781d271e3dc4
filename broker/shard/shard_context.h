// What the parts of one shard share: the outside world, the partitions and the newest metadata. The
// parts (reconciler, reader, replica sender and fetcher, coordinators) hold a reference to it and
// never to each other. Shard thread only, except where a comment says otherwise.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "base/rng.h"
#include "broker/broker_config.h"
#include "broker/broker_ports.h"
#include "broker/metrics/shard_metrics.h"
#include "broker/shard/partition_host.h"
#include "broker/shard/partition_hosts.h"
#include "broker/shard/unsynced_tail.h"

namespace quipu {

// What the reader of a damaged batch is told.
struct DamageVerdict {
  ErrorCode error = ErrorCode::kCorruptMessage;
  std::string message;
  Offset refused_end = kNoOffset;  // with kDamagedOnAllReplicas
};

class ShardContext : public std::enable_shared_from_this<ShardContext> {
 public:
  ShardContext(std::shared_ptr<const BrokerConfig> broker_config, BrokerPorts& broker_ports,
               size_t shard_index, Rng shard_rng)
      : config(std::move(broker_config)),
        ports(broker_ports),
        executor(broker_ports.shard_executor(shard_index)),
        index(shard_index),
        rng(shard_rng),
        tail(config->unsynced_tail_bytes_max, config->tail_bytes) {}
  virtual ~ShardContext() = default;

  // Takes over what an input to `host.core` brought about; carried out at the end of the turn.
  virtual void Absorb(PartitionHost& host, PartitionEffects& effects) = 0;
  // Something was gathered outside of Absorb: let the turn end soon.
  virtual void RequestTurn() = 0;

  // ---- damaged batches (D5); see Repairer ----
  // A read of the partition's log failed with `damage`: what its reader is to be told. The batch is
  // repaired from a peer, if the status names its place.
  virtual DamageVerdict OnDamage(PartitionUid uid, const absl::Status& damage) = 0;
  // Repairs what a recovery of the log named; then calls `done`, which tells whether what is
  // left was given up: it is refused, or not needed.
  virtual void AwaitRepair(PartitionUid uid, LogId log_id, const RecoveredLog& recovered,
                           std::function<void(bool given_up)> done) = 0;
  // The replica goes, or has been cut: what was damaged is of no interest any more.
  virtual void ForgetRepair(PartitionUid uid) = 0;

  [[nodiscard]] PartitionHost* Find(PartitionUid uid) { return hosts.Find(uid); }

  // Who leads the partition, as its replica here (nullptr: none) knows, else the metadata.
  // `Result`: that of a produce or a fetch.
  template <typename Result>
  void TellLeader(PartitionUid uid, const PartitionHost* host, Result& result) const {
    if (host != nullptr) {
      result.leader_id = host->core.leader();
      result.leader_epoch = host->core.leader_epoch();
      return;
    }
    const PartitionImage* known = image == nullptr ? nullptr : image->FindPartition(uid);
    if (known == nullptr) return;
    result.leader_id = known->leader;
    result.leader_epoch = known->leader_epoch;
  }

  // Runs `work` on the shard's executor unless the shard is gone by then. Any thread.
  void Post(std::function<void()> work) { executor.Post(Guarded(std::move(work))); }
  void PostAfter(Duration delay, std::function<void()> work) {
    executor.PostAfter(delay, Guarded(std::move(work)));
  }
  // Runs `read` off the shard and hands its result to `done` on the shard.
  template <typename Read, typename Done>
  void ReadCold(Read read, Done done) {
    ports.RunColdRead([context = weak_from_this(), &store = ports.log_store(), &runner = executor,
                       read = std::move(read), done = std::move(done)] {
      using Result = decltype(read(store));
      auto result = std::make_shared<Result>(read(store));
      runner.Post([context, result, done] {
        if (const auto alive = context.lock()) done(std::move(*result));
      });
    });
  }
  // The same between two groups of the log writer, where logs are made and dropped.
  template <typename Work, typename Done>
  void RunOnWriter(Work work, Done done) {
    ports.log_writer().RunOnWriter([context = weak_from_this(), &runner = executor,
                                    work = std::move(work),
                                    done = std::move(done)](LogStore& store) {
      using Result = decltype(work(store));
      auto result = std::make_shared<Result>(work(store));
      runner.Post([context, result, done] {
        if (const auto alive = context.lock()) done(std::move(*result));
      });
    });
  }
  [[nodiscard]] Now GetNow() const { return executor.GetNow(); }

  const std::shared_ptr<const BrokerConfig> config;
  BrokerPorts& ports;
  Executor& executor;
  const size_t index;
  Rng rng;

  UnsyncedTail tail;
  ShardCounters counters;
  PartitionHosts hosts;
  // Logs without a host yet: what their producers have sent is not known before a repair.
  absl::btree_set<PartitionUid> under_repair;
  // Never older than this registration: see MetadataFollower.
  MetadataImagePtr image;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;

 private:
  std::function<void()> Guarded(std::function<void()> work) {
    return [context = weak_from_this(), work = std::move(work)] {
      if (const auto alive = context.lock()) work();
    };
  }
};

}  // namespace quipu
