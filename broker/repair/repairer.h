// Repairs damaged batches of a shard's logs from other replicas (D5): whoever finds one reports it
// here, a BatchRepair per partition decides whom to ask and what to believe, and what was got is
// written under its key through the log writer. Also for logs that have no host yet. Shard thread
// only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "broker/repair/repair_links.h"
#include "broker/shard/shard_context.h"
#include "core/replication/batch_repair.h"

namespace quipu {

class Repairer {
 public:
  // `context` must outlive it.
  explicit Repairer(ShardContext& context);

  // As ShardContext says.
  DamageVerdict OnDamage(PartitionUid uid, const absl::Status& damage);
  void Await(PartitionUid uid, LogId log_id, const RecoveredLog& recovered,
             std::function<void(bool given_up)> done);
  void Forget(PartitionUid uid);
  // The image of the context is new.
  void OnImage();

  // The log and the epochs of a replica, with a host or waiting for its repair; nullopt: none here,
  // or its log is just being cut.
  struct Replica {
    LogId log_id;
    std::vector<EpochEntry> epochs;
  };
  [[nodiscard]] std::optional<Replica> FindReplica(PartitionUid uid);

  // Batches that are known to be damaged and are not repaired, refused ones too.
  [[nodiscard]] size_t damaged() const;
  // Since the start of the process.
  [[nodiscard]] uint64_t repaired() const { return repaired_; }

 private:
  using Done = std::function<void(bool given_up)>;
  struct Item {
    Item(PartitionUid uid, LogId log) : log_id(log), repair(uid) {}
    const LogId log_id;
    BatchRepair repair;
    std::vector<EpochEntry> epochs;  // while there is no host
    std::vector<Done> waiting;
    bool recovering = false;  // the state of the producers is read again
  };

  Item& ItemOf(PartitionUid uid, LogId log_id);
  [[nodiscard]] Item* Find(PartitionUid uid);
  [[nodiscard]] BatchRepair::View ViewOf(PartitionUid uid) const;
  [[nodiscard]] LeaderEpoch EpochOf(PartitionUid uid, Offset offset);
  [[nodiscard]] std::string Describe(PartitionUid uid, DamagedBatch place) const;
  void OnAnswer(BrokerId peer, const RepairAnswer& answer);
  void OnLost(BrokerId peer);
  void OnStored(PartitionUid uid, LogId log_id, Offset last_offset);
  // Gives an input to each machine, and carries out what it brings about.
  void ForEach(const std::function<void(PartitionUid, BatchRepair&, RepairEffects&)>& input);
  // Carries out what an input to the item's machine brought about. The item may be gone afterwards.
  void Absorb(PartitionUid uid, RepairEffects& effects);
  void Store(PartitionUid uid, LogId log_id, StoredBatch batch);
  void RecoverProducers(PartitionUid uid);
  void Arm();

  ShardContext& context_;
  RepairLinks links_;
  absl::btree_map<PartitionUid, std::unique_ptr<Item>> items_;
  std::optional<Instant> armed_at_;
  uint64_t repaired_ = 0;
};

}  // namespace quipu
