// What a client knows of brokers, topics and leaders.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "core/client/client_types.h"

namespace quipu {

// Who leads a partition.
struct PartitionLeader {
  BrokerId broker = kNoBroker;
  LeaderEpoch epoch = kNoLeaderEpoch;
  friend bool operator==(const PartitionLeader&, const PartitionLeader&) = default;
};

struct TopicView {
  std::string name;
  TopicId topic_id;
  std::vector<PartitionLeader> partitions;  // by partition index
  uint64_t learned_at = 0;                  // metadata index of the answer that gave the id
};

// Merges metadata answers of different brokers, some of them behind.
//
// Never goes back to an older leader epoch of a partition, nor to the id of a deleted topic: a
// stale broker must not send the client back to a deposed leader, whose answers look like data
// loss (R23). Source: KIP-232, KIP-516. One owner; not thread-safe.
class MetadataView {
 public:
  // Takes an answer in. kInconsistentClusterId when it comes from another cluster than the first
  // one (nothing is changed then); the answer's own error when it has one.
  ErrorCode Apply(const message::MetadataResponse& response);

  // A leader named in an error of `partition`; taken in only when its epoch is newer.
  // Returns true when it was news.
  bool ApplyLeaderHint(const TopicPartition& partition, PartitionLeader leader);

  // nullptr: not known (yet).
  [[nodiscard]] const TopicView* FindTopic(absl::string_view name) const;
  [[nodiscard]] const TopicView* FindTopic(TopicId topic_id) const;
  // The last answer about this name said that there is no such topic (or that it is not valid).
  // kNone: never asked, or known.
  [[nodiscard]] ErrorCode TopicError(absl::string_view name) const;

  // The leader as known; broker kNoBroker when there is none or the partition is not known.
  [[nodiscard]] PartitionLeader Leader(const TopicPartition& partition) const;
  // nullopt: no such broker known.
  [[nodiscard]] std::optional<ServerAddress> AddressOf(BrokerId broker) const;
  // Addresses of all brokers known, in the order of their ids.
  [[nodiscard]] std::vector<ServerAddress> Addresses() const;

  [[nodiscard]] const absl::btree_map<std::string, TopicView>& topics() const { return topics_; }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }

 private:
  void ApplyTopic(const message::TopicInfo& info, uint64_t metadata_index);

  std::string cluster_id_;
  uint64_t brokers_learned_at_ = 0;
  absl::btree_map<BrokerId, ServerAddress> brokers_;
  absl::btree_map<std::string, TopicView> topics_;
  absl::btree_map<TopicId, std::string> names_;
  absl::btree_map<std::string, ErrorCode> topic_errors_;
};

}  // namespace quipu
