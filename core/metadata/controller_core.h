// The active controller's brain: a command in, records and an answer out.
//
// No command changes the image. The caller appends the returned records to the Raft log and calls
// Replay with the index that they got; answers wait until that entry is committed. The image is
// thus *speculative*: it holds entries that are appended and not yet committed, so that the next
// command sees them. When leadership is lost the whole image is thrown away (Deactivate), and a
// later Activate starts from the committed one: no undo. (The model is Kafka's coordinator
// runtime.)
//
// Rules kept: PR2 (ELR), PR3 (ISR changes), PR4 (a restart is a new epoch); invariant I31;
// scenarios R12, R13, R14, R15, R17, R18, R25. The controller's executor only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "base/error_code.h"
#include "base/rng.h"
#include "base/time.h"
#include "core/metadata/broker_liveness.h"
#include "core/metadata/leader_selector.h"
#include "core/metadata/metadata_image.h"
#include "core/metadata/replica_placer.h"
#include "core/metadata/topic_config.h"
#include "proto/message/control.pb.h"

namespace quipu {

// Records to append (none: the answer only describes the state) and the answer to give once they,
// and everything appended before, are committed.
template <typename Response>
struct Decision {
  record::MetadataBatch batch;
  Response response;
};

class ControllerCore {
 public:
  struct Options {
    ClusterId cluster_id;
    Duration session_timeout = std::chrono::milliseconds(3000);    // broker.session.timeout.ms
    Duration heartbeat_interval = std::chrono::milliseconds(500);  // broker.heartbeat.interval.ms
    int32_t num_partitions = 6;                                    // num.partitions
    int32_t replication_factor = 3;                                // default.replication.factor
    int32_t min_insync_replicas = 2;                               // min.insync.replicas
    int32_t partitions_max = 20000;                                // quipu.partitions.max
    int32_t brokers_max = 1000;                                    // quipu.brokers.max
    int32_t topic_configs_max = 100;                               // entries in one request
    int32_t producer_id_block = 1000;
    bool auto_leader_rebalance = true;  // auto.leader.rebalance.enable
    // leader.imbalance.check.interval: a preferred leader takes over when two checks in a row
    // found it ready, so it has been back for at least this long.
    Duration leader_imbalance_check_interval = std::chrono::milliseconds(5000);
    size_t preferred_elections_max = 1000;  // in one batch
  };

  // `seed` makes topic ids.
  ControllerCore(Options options, uint64_t seed);

  // This controller leads and has applied everything committed before its term: `committed` is the
  // state to go on from. All broker sessions start at `now`.
  void Activate(MetadataImage committed, Instant now);
  // Throws the speculative state away.
  void Deactivate();
  [[nodiscard]] bool active() const { return active_; }
  // Speculative; empty while not active.
  [[nodiscard]] const MetadataImage& image() const { return image_; }

  // ---- commands; only while active ----
  // The first record of a new cluster; empty when the image has it.
  [[nodiscard]] record::MetadataBatch Bootstrap() const;

  // Grants a broker epoch (0 in the answer: the index of the appended entry; FillEpoch puts it in).
  // One batch fences the old incarnation everywhere and admits the new one (R14). A broker without
  // a log that is known to be complete is *unclean*: the same batch takes it out of every ISR and
  // ELR, and the answer says why (D4). That is one that says so itself, one with another directory
  // than before (S14), and one whose directory was rolled back to an older epoch (S15).
  //   kInconsistentClusterId        another cluster's broker
  //   kInvalidRequest               malformed
  //   kDuplicateBrokerRegistration  the id is in use by a live broker of another directory, or the
  //                                 directory by another id
  //   kUnprovenDirectory            an epoch that was never granted here
  //   kLimitReached                 brokers_max
  [[nodiscard]] Decision<message::RegisterBrokerResponse> Register(
      const message::RegisterBroker& request, Instant now) const;
  static void FillEpoch(LogIndex index, message::RegisterBrokerResponse& response);

  // Renews the session, unfences a broker that has applied its own registration, and begins a
  // controlled shutdown: at once where each partition stays at its minimum without the broker or
  // nobody could take its place, else once others are in sync. kBrokerIdNotRegistered,
  // kStaleBrokerEpoch.
  [[nodiscard]] Decision<message::BrokerHeartbeatResponse> Heartbeat(
      const message::BrokerHeartbeat& request, Instant now);

  // ISR changes, each allowed or refused by itself (CheckIsrChange). kBrokerIdNotRegistered,
  // kStaleBrokerEpoch.
  [[nodiscard]] Decision<message::AlterPartitionsResponse> AlterPartitions(
      const message::AlterPartitions& request) const;

  // A block of producer ids, never granted before or again. kBrokerIdNotRegistered,
  // kStaleBrokerEpoch, kLimitReached.
  [[nodiscard]] Decision<message::AllocateProducerIdsResponse> AllocateProducerIds(
      const message::AllocateProducerIds& request) const;

  // Topic creation, deletion, partitions and config; preferred leader election; unclean recovery;
  // drains; settings that are changed at run time. With validate_only without records.
  // DescribeQuorum is not the metadata's to answer: kInvalidRequest.
  [[nodiscard]] Decision<message::AdminResponse> Admin(const message::AdminRequest& request);

  // Fences the broker if this epoch is still its newest and it is not fenced; else empty.
  [[nodiscard]] record::MetadataBatch FenceBroker(BrokerId broker, BrokerEpoch epoch) const;

  // What time brings: fences one broker whose session ended, takes leaderships and ISR memberships
  // from one that is drained, or moves leadership back to preferred leaders. Call again (after
  // Replay) until it is empty. A gap of more than a third of the session time-out since the last
  // call means that this process was paused: sessions are extended by it.
  [[nodiscard]] record::MetadataBatch OnTime(Instant now);

  // ---- the only mutator ----
  // The batch was appended at `index`.
  void Replay(LogIndex index, const record::MetadataBatch& batch, Instant now);

  // I31 and the rest of CheckMetadataInvariants.
  void CheckInvariants() const;

 private:
  ErrorCode CheckBroker(int32_t broker_id, int64_t broker_epoch) const;
  // Registration.
  TopicRefusal CheckRegistration(const message::RegisterBroker& request, Instant now) const;
  TopicRefusal CheckKnownDirectory(const message::RegisterBroker& request, const BrokerImage& known,
                                   Instant now) const;
  // Why a known broker that registers is unclean; empty: it is clean.
  std::string UncleanReason(const message::RegisterBroker& request, const BrokerImage& known) const;
  // Newest epoch that this broker was heard under, by this controller or an earlier one.
  [[nodiscard]] BrokerEpoch HeardEpoch(const BrokerImage& broker) const;
  // Removes `broker` from every ISR, electing leaders (fencing, shutdown, restart). `lost`: its log
  // is not known to be complete, so it leaves every ELR too.
  void RemoveFromIsrs(BrokerId broker, bool lost, record::MetadataBatch& batch) const;
  // Gives a leader to partitions without one, `broker` having become active.
  void ElectOnReturn(BrokerId broker, record::MetadataBatch& batch) const;
  // ---- drains: controller_core_drain.cc ----
  // Fills `fencing` with what `broker` is now, for a record that changes a part of it.
  static void CopyFencing(const BrokerImage& broker, record::BrokerFencing& fencing);
  // Whether enough healthy members are in the ISR without `broker`.
  [[nodiscard]] bool IsFullWithout(const PartitionImage& partition, BrokerId broker,
                                   const LeaderSelector& selector) const;
  // Takes `broker` out of each ISR that is full without it, and lets another member lead the rest.
  void ShedDraining(BrokerId broker, record::MetadataBatch& batch) const;
  // The same for the first broker that is drained and has something to shed.
  [[nodiscard]] record::MetadataBatch ShedDrainingBrokers() const;
  // A partition needs `broker` for its minimum, and enough others may still catch up.
  [[nodiscard]] bool IsHeldUp(BrokerId broker) const;
  [[nodiscard]] bool IsInAnIsr(BrokerId broker) const;
  // Takes a broker whose disk stalls out of each ISR in which another may lead (D6).
  void ShedLeaders(BrokerId broker, record::MetadataBatch& batch) const;
  record::MetadataBatch FencingBatch(const BrokerImage& broker) const;
  record::MetadataBatch BalanceLeaders(Instant now);
  [[nodiscard]] int32_t MinIsr(const PartitionImage& partition) const;
  // Whether the preferred replica could lead and does not.
  [[nodiscard]] bool WantsPreferredLeader(const PartitionImage& partition,
                                          const LeaderSelector& selector) const;
  // Admin.
  Decision<message::AdminResponse> Decide(const message::AdminRequest& request);
  Decision<message::AdminResponse> CreateTopic(const message::CreateTopic& request);
  struct NewPartition {
    TopicId topic_id;
    PartitionIndex index;
    PartitionUid uid;
    std::vector<BrokerId> replicas;
  };
  static void AddNewPartition(const NewPartition& partition, record::MetadataBatch& batch);
  // The replicas of partition `i` of those that are new: as given, else placed.
  using Assignments = google::protobuf::RepeatedPtrField<message::ReplicaAssignment>;
  static std::vector<BrokerId> Replicas(const Assignments& given, int32_t i, PartitionUid uid,
                                        int32_t replication_factor, const ReplicaPlacer& placer);
  TopicRefusal CheckCreation(const message::CreateTopic& request, int32_t partitions,
                             int32_t replication_factor, const ReplicaPlacer& placer) const;
  TopicRefusal CheckConfigs(
      const google::protobuf::RepeatedPtrField<message::ConfigEntry>& entries) const;
  Decision<message::AdminResponse> DeleteTopic(const message::DeleteTopic& request) const;
  Decision<message::AdminResponse> ElectLeaders(const message::ElectLeaders& request) const;
  Decision<message::AdminResponse> AlterTopicConfig(message::AlterTopicConfig request) const;
  // kElectionNotNeeded when a replica could lead without loss, kIneligibleReplica, and
  // kInvalidUpdateVersion when something changed since the choice was made.
  Decision<message::AdminResponse> RecoverPartition(const message::RecoverPartition& request) const;
  // kInvalidPartitions, kInvalidTopic, kLimitReached, kInvalidReplicationFactor, kPolicyViolation.
  Decision<message::AdminResponse> CreatePartitions(const message::CreatePartitions& request) const;
  TopicRefusal CheckMorePartitions(const message::CreatePartitions& request,
                                   const TopicImage& topic, const ReplicaPlacer& placer) const;
  // kBrokerIdNotRegistered, kInvalidRequest, kIneligibleReplica.
  Decision<message::AdminResponse> DrainBroker(const message::DrainBroker& request) const;
  // controller_core_configs.cc. kInvalidConfig, kBrokerIdNotRegistered.
  Decision<message::AdminResponse> DescribeConfigs(const message::DescribeConfigs& request) const;
  Decision<message::AdminResponse> AlterConfigs(const message::AlterConfigs& request) const;
  TopicRefusal ChangeMinIsr(const TopicImage& topic, int32_t min_isr,
                            record::MetadataBatch& batch) const;

  // What is in force: set at run time, else this controller's own.
  [[nodiscard]] Options Effective() const;

  Options options_;
  Rng rng_;
  bool active_ = false;
  MetadataImage image_;
  BrokerLiveness liveness_;
  std::optional<Instant> last_time_;
  Instant next_balance_{};
  absl::btree_set<PartitionUid> unbalanced_;  // found by the last check
};

}  // namespace quipu
