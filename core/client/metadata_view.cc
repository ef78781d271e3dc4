#include "core/client/metadata_view.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace quipu {

ErrorCode MetadataView::Apply(const message::MetadataResponse& response) {
  if (response.error_code() != 0) return WireError(response.error_code());
  if (!cluster_id_.empty() && response.cluster_id() != cluster_id_) {
    return ErrorCode::kInconsistentClusterId;
  }
  cluster_id_ = response.cluster_id();
  // A broker that is behind may not know the newest addresses; it may still add brokers.
  const bool current = response.metadata_index() >= brokers_learned_at_;
  if (current && response.brokers_size() > 0) {
    brokers_.clear();
    brokers_learned_at_ = response.metadata_index();
  }
  for (const message::BrokerInfo& info : response.brokers()) {
    ServerAddress address = quipu::AddressOf(info.endpoint());
    brokers_.try_emplace(BrokerId(info.broker_id()), std::move(address));
  }
  for (const message::TopicInfo& info : response.topics()) {
    ApplyTopic(info, response.metadata_index());
  }
  return ErrorCode::kNone;
}

void MetadataView::ApplyTopic(const message::TopicInfo& info, uint64_t metadata_index) {
  const ErrorCode error = WireError(info.error_code());
  const auto found = topics_.find(info.name());
  if (error != ErrorCode::kNone) {
    // Only an answer at least as new as what is known may take a topic away.
    if (found != topics_.end() && metadata_index <= found->second.learned_at) return;
    if (found != topics_.end()) {
      names_.erase(found->second.topic_id);
      topics_.erase(found);
    }
    if (!info.name().empty()) topic_errors_[info.name()] = error;
    return;
  }
  const std::optional<TopicId> topic_id = Uuid::FromBytes(info.topic_id());
  if (!topic_id) return;
  if (found != topics_.end() && found->second.topic_id != *topic_id) {
    if (metadata_index <= found->second.learned_at) return;
    names_.erase(found->second.topic_id);
    topics_.erase(found);
  }
  topic_errors_.erase(info.name());
  TopicView& topic = topics_[info.name()];
  if (topic.name.empty()) {
    topic.name = info.name();
    topic.topic_id = *topic_id;
    names_[*topic_id] = info.name();
  }
  topic.learned_at = std::max(topic.learned_at, metadata_index);
  if (topic.partitions.size() < static_cast<size_t>(info.partitions_size())) {
    topic.partitions.resize(static_cast<size_t>(info.partitions_size()));
  }
  for (const message::PartitionInfo& partition : info.partitions()) {
    const auto index = static_cast<size_t>(partition.partition());
    if (partition.partition() < 0 || index >= topic.partitions.size()) continue;
    PartitionLeader& known = topic.partitions[index];
    const LeaderEpoch epoch(partition.leader_epoch());
    if (epoch >= known.epoch || IsPlanted(PlantedBug::kStaleMetadataReader)) {
      known = {BrokerId(partition.leader()), epoch};
    }
  }
}

bool MetadataView::ApplyLeaderHint(const TopicPartition& partition, PartitionLeader leader) {
  if (leader.broker == kNoBroker) return false;
  const auto name = names_.find(partition.topic_id);
  if (name == names_.end()) return false;
  TopicView& topic = topics_[name->second];
  const auto index = static_cast<size_t>(partition.partition.value());
  if (partition.partition.value() < 0 || index >= topic.partitions.size()) return false;
  if (leader.epoch <= topic.partitions[index].epoch) return false;
  topic.partitions[index] = leader;
  return true;
}

const TopicView* MetadataView::FindTopic(absl::string_view name) const {
  const auto found = topics_.find(std::string(name));
  return found == topics_.end() ? nullptr : &found->second;
}

const TopicView* MetadataView::FindTopic(TopicId topic_id) const {
  const auto name = names_.find(topic_id);
  return name == names_.end() ? nullptr : FindTopic(name->second);
}

ErrorCode MetadataView::TopicError(absl::string_view name) const {
  const auto found = topic_errors_.find(std::string(name));
  return found == topic_errors_.end() ? ErrorCode::kNone : found->second;
}

PartitionLeader MetadataView::Leader(const TopicPartition& partition) const {
  const TopicView* topic = FindTopic(partition.topic_id);
  const auto index = static_cast<size_t>(partition.partition.value());
  if (topic == nullptr || partition.partition.value() < 0 || index >= topic->partitions.size()) {
    return {};
  }
  return topic->partitions[index];
}

std::optional<ServerAddress> MetadataView::AddressOf(BrokerId broker) const {
  const auto found = brokers_.find(broker);
  if (found == brokers_.end()) return std::nullopt;
  return found->second;
}

std::vector<ServerAddress> MetadataView::Addresses() const {
  std::vector<ServerAddress> addresses;
  addresses.reserve(brokers_.size());
  for (const auto& [id, address] : brokers_) addresses.push_back(address);
  return addresses;
}

}  // namespace quipu
