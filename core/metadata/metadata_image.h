// The cluster as of one entry of the metadata log: immutable, shared by all who read it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "proto/record/metadata.pb.h"

namespace quipu {

struct HostPort {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct BrokerImage {
  BrokerId id;
  BrokerEpoch epoch;
  DirectoryId directory_id;
  Uuid incarnation_id;
  HostPort client_endpoint;
  HostPort peer_endpoint;
  HostPort kafka_endpoint;  // for clients of the Kafka protocol; without a host: none
  std::string rack;
  std::string version;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  bool disk_stalled = false;  // leads only where nobody else may (D6)
  // Newest epoch under which this broker id was ever unfenced, so its directory holds it durably
  // (a broker syncs an epoch before its first heartbeat under it). kNoBrokerEpoch: never.
  BrokerEpoch heard_epoch = kNoBrokerEpoch;
  // This registration said, or was found, to have no complete log (D4): it took the broker out of
  // every ISR and ELR, and a leader takes it in again once it has caught up.
  bool unclean = false;
  // Leaves leaderships and ISRs to others where enough others are in sync.
  record::Drain drain = record::DRAIN_NONE;
  [[nodiscard]] bool draining() const { return drain != record::DRAIN_NONE; }
  friend bool operator==(const BrokerImage&, const BrokerImage&) = default;
};

struct PartitionImage {
  PartitionUid uid;
  TopicId topic_id;
  PartitionIndex index;
  std::vector<BrokerId> replicas;  // first is the preferred leader
  std::vector<BrokerId> isr;
  std::vector<BrokerId> elr;
  BrokerId leader = kNoBroker;
  BrokerId last_known_leader = kNoBroker;
  LeaderEpoch leader_epoch{0};
  PartitionEpoch partition_epoch{0};
  // Leader epoch that began with an unclean recovery: what older epochs had committed beyond that
  // leader's log is given up. kNoLeaderEpoch: never.
  LeaderEpoch unclean_epoch = kNoLeaderEpoch;
  friend bool operator==(const PartitionImage&, const PartitionImage&) = default;
};

struct TopicImage {
  TopicId id;
  std::string name;
  std::vector<PartitionUid> partitions;               // by index
  absl::btree_map<std::string, std::string> configs;  // overrides only
  friend bool operator==(const TopicImage&, const TopicImage&) = default;
};

// Value type with cheap copies where nothing changes is not promised: copies are made by the
// applier only (MetadataApplier), readers share `std::shared_ptr<const MetadataImage>`.
class MetadataImage {
 public:
  // ---- reads ----
  // Raft index of the newest entry applied; 0: empty.
  [[nodiscard]] LogIndex index() const { return index_; }
  [[nodiscard]] ClusterId cluster_id() const { return cluster_id_; }
  [[nodiscard]] PartitionUid next_partition_uid() const { return next_partition_uid_; }
  [[nodiscard]] ProducerId next_producer_id() const { return next_producer_id_; }
  [[nodiscard]] const absl::btree_map<BrokerId, BrokerImage>& brokers() const { return brokers_; }
  [[nodiscard]] const absl::btree_map<TopicId, TopicImage>& topics() const { return topics_; }
  [[nodiscard]] const absl::btree_map<PartitionUid, PartitionImage>& partitions() const {
    return partitions_;
  }
  // What was set at run time, by key; kNoBroker: for the whole cluster.
  [[nodiscard]] const absl::btree_map<BrokerId, absl::btree_map<std::string, std::string>>&
  dynamic_configs() const {
    return dynamic_configs_;
  }
  // As set for `broker`, else for the whole cluster; nullptr: neither.
  [[nodiscard]] const std::string* FindDynamicConfig(BrokerId broker, absl::string_view key) const;
  // nullptr when there is none.
  [[nodiscard]] const BrokerImage* FindBroker(BrokerId id) const;
  [[nodiscard]] const TopicImage* FindTopic(TopicId id) const;
  [[nodiscard]] const TopicImage* FindTopicByName(absl::string_view name) const;
  [[nodiscard]] const PartitionImage* FindPartition(PartitionUid uid) const;
  [[nodiscard]] const PartitionImage* FindPartition(TopicId topic, PartitionIndex index) const;

  // ---- the only mutators: used by replay, on the controller and on brokers alike ----
  // Applies all records of the entry at `index`. The records must fit the image (they come from
  // a ControllerCore that checked them); a misfit is a QUIPU_CHECK failure.
  void Apply(LogIndex index, const record::MetadataBatch& batch);
  // The records that make this image from an empty one, in a fixed order.
  [[nodiscard]] std::vector<record::MetadataRecord> ToSnapshot() const;
  // From a snapshot's records as of `index`.
  static MetadataImage FromSnapshot(LogIndex index,
                                    const std::vector<record::MetadataRecord>& records);

  friend bool operator==(const MetadataImage&, const MetadataImage&) = default;

 private:
  void ApplyRecord(LogIndex index, const record::MetadataRecord& record);
  void ApplyBroker(LogIndex index, const record::MetadataRecord& record);
  void ApplyTopic(const record::MetadataRecord& record);
  void ApplyPartition(const record::MetadataRecord& record);
  void ApplyDynamicConfig(const record::DynamicConfigSet& set);

  LogIndex index_{0};
  ClusterId cluster_id_;
  PartitionUid next_partition_uid_{1};
  ProducerId next_producer_id_{0};
  absl::btree_map<BrokerId, BrokerImage> brokers_;
  absl::btree_map<TopicId, TopicImage> topics_;
  absl::btree_map<std::string, TopicId> topic_ids_;  // by name
  absl::btree_map<PartitionUid, PartitionImage> partitions_;
  absl::btree_map<BrokerId, absl::btree_map<std::string, std::string>> dynamic_configs_;
};

using MetadataImagePtr = std::shared_ptr<const MetadataImage>;

}  // namespace quipu
