// The partition invariants I20-I34, checked over all brokers and the committed metadata after each
// step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/metadata/metadata_image.h"
#include "core/replication/partition_core.h"
#include "tests/simulation/checkers/drain_checker.h"
#include "tests/simulation/checkers/shadow_log.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {

struct PartitionCounters {
  uint64_t leader_changes = 0;
  uint64_t isr_shrinks = 0;
  uint64_t isr_expands = 0;
  uint64_t truncations = 0;
  uint64_t elr_uses = 0;      // a partition had an ELR
  uint64_t leaders_shed = 0;  // from a broker whose disk stalls
};

class PartitionChecker {
 public:
  explicit PartitionChecker(Cluster& cluster) : cluster_(cluster) {}

  void OnDurable(BrokerId broker, const std::vector<LogWrite>& writes);
  // The broker, which is down, has lost its disk or a part of it: until the controllers have
  // committed another registration of it, what they believe of its log is out of date.
  void OnDiskLost(SimBroker& broker);
  // A committed batch on the broker's disk is about to be damaged, or has just been.
  void OnDamaged(BrokerId broker, PartitionUid uid, Offset last_offset) {
    shadows_.OnDamaged(broker, uid, last_offset);
  }
  // Whether the broker has lost its disk and the controllers do not know yet.
  [[nodiscard]] bool IsLost(BrokerId broker) const { return lost_.contains(broker); }
  // A leader proposes ISRs: remembers which incarnations of the members it has seen. A broker
  // registers: remembers its incarnation.
  void OnControlSent(const message::BrokerToController& message);
  // A controller answers a broker.
  void OnControlAnswered(SimController& sender, BrokerId broker,
                         const message::ControllerToBroker& message);
  // Where the records end that operators asked to be deleted: a follower that begins anew at its
  // leader's log start has nothing to write below that. Set before the first step.
  std::function<Offset(PartitionUid)> deleted_end;
  // Called with what was newly committed to a partition of __consumer_offsets.
  std::function<void(const std::vector<StoredBatch>&)> on_offsets_committed;
  // After a step of a controller: takes over a newer committed image and checks it (I31).
  void AfterControllerStep(SimController& controller);
  // After a step of a broker.
  void AfterBrokerStep(SimBroker& broker);

  [[nodiscard]] const MetadataImagePtr& image() const { return image_; }
  // The highest high watermark that any leader has ever served; 0 for a new partition.
  [[nodiscard]] Offset TrueHighWatermark(PartitionUid uid) const;
  // The epoch of the committed record at `offset`; nullopt: nobody is known to hold it.
  [[nodiscard]] std::optional<LeaderEpoch> EpochOfRecord(PartitionUid uid, Offset offset) const;
  [[nodiscard]] const ShadowLogs& shadows() const { return shadows_; }
  [[nodiscard]] const DrainChecker& drains() const { return drains_; }
  [[nodiscard]] const PartitionCounters& counters() const { return counters_; }

 private:
  // What a replica looked like when it was last checked.
  struct Seen {
    uint64_t incarnation = 0;
    PartitionRole role = PartitionRole::kNone;
    LeaderEpoch epoch = kNoLeaderEpoch;
    PartitionEpoch partition_epoch{-1};
    Offset high_watermark;
    Offset durable_end;
    Offset log_end;
    size_t isr_size = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  void CheckImage(const MetadataImage& before, const MetadataImage& after);
  // I34, of a partition that has changed.
  void CheckDrain(const MetadataImage& before, const MetadataImage& after,
                  const PartitionImage& old_state, const PartitionImage& partition, size_t min_isr);
  // I32: who joins the ISR is the incarnation whose log the leader has seen (R13).
  void CheckJoined(const MetadataImage& after, const PartitionImage& before,
                   const PartitionImage& partition) const;
  void CheckReplica(BrokerId broker, const PartitionCore& core, const Seen& before,
                    const Seen& after);
  void CheckLeader(BrokerId broker, const PartitionCore& core);
  // Batches in [from, to) of a partition of __consumer_offsets have just been committed.
  void TellCommitted(BrokerId broker, PartitionUid uid, Offset from, Offset to);
  // Durable end as a leader may still count it: what a lost disk held before counts until the
  // broker has joined the ISR again.
  [[nodiscard]] Offset CountedEnd(BrokerId broker, PartitionUid uid) const;
  // The controllers have committed registrations.
  void LearnRegistrations();
  // `from`: batches below it were compared before.
  void CheckIsrHasCommitted(PartitionUid uid, Offset from);

  Cluster& cluster_;
  ShadowLogs shadows_;
  DrainChecker drains_;
  MetadataImagePtr image_;
  std::map<PartitionUid, Offset> true_high_watermark_;
  std::map<PartitionUid, BrokerId> holder_;  // a broker that had everything below the true mark
  // Brokers whose disk was lost, with the incarnations that have registered since; a registration
  // from before may still be on its way.
  std::map<BrokerId, std::set<std::string>> lost_;
  std::map<std::pair<BrokerId, PartitionUid>, Offset> former_ends_;
  std::map<std::pair<BrokerId, PartitionUid>, Seen> seen_;
  // Proposed incarnations by partition, the partition epoch that the proposal is for, and broker.
  using ProposalKey = std::tuple<PartitionUid, PartitionEpoch, BrokerId>;
  std::map<ProposalKey, std::set<BrokerEpoch>> proposed_;
  PartitionCounters counters_;
};

}  // namespace quipu::sim
