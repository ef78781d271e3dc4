#include "core/metadata/metadata_image.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quipu {
namespace {

Uuid RequiredUuid(const std::string& bytes) {
  const std::optional<Uuid> id = Uuid::FromBytes(bytes);
  QUIPU_CHECK_MSG(id.has_value(), "metadata record with an id that is not 16 bytes");
  return *id;
}

std::vector<BrokerId> ToBrokerIds(const google::protobuf::RepeatedField<int32_t>& ids) {
  std::vector<BrokerId> out;
  out.reserve(static_cast<size_t>(ids.size()));
  for (const int32_t id : ids) out.emplace_back(id);
  return out;
}

void SetIds(google::protobuf::RepeatedField<int32_t>* out, const std::vector<BrokerId>& ids) {
  for (const BrokerId id : ids) out->Add(id.value());
}

HostPort ToHostPort(const record::Endpoint& endpoint) {
  return {endpoint.host(), static_cast<uint16_t>(endpoint.port())};
}

void SetEndpoint(record::Endpoint* out, const HostPort& endpoint) {
  out->set_host(endpoint.host);
  out->set_port(endpoint.port);
}

record::BrokerRegistered ToRecord(const BrokerImage& broker) {
  record::BrokerRegistered out;
  out.set_broker_id(broker.id.value());
  out.set_broker_epoch(broker.epoch.value());
  out.set_directory_id(broker.directory_id.ToBytes());
  out.set_incarnation_id(broker.incarnation_id.ToBytes());
  SetEndpoint(out.mutable_client_endpoint(), broker.client_endpoint);
  SetEndpoint(out.mutable_peer_endpoint(), broker.peer_endpoint);
  if (!broker.kafka_endpoint.host.empty()) {
    SetEndpoint(out.mutable_kafka_endpoint(), broker.kafka_endpoint);
  }
  out.set_rack(broker.rack);
  out.set_fenced(broker.fenced);
  out.set_in_controlled_shutdown(broker.in_controlled_shutdown);
  out.set_disk_stalled(broker.disk_stalled);
  out.set_version(broker.version);
  if (broker.heard_epoch != kNoBrokerEpoch) {
    out.set_heard_broker_epoch(broker.heard_epoch.value());
  }
  out.set_unclean(broker.unclean);
  out.set_drain(broker.drain);
  return out;
}

record::PartitionState ToRecord(const PartitionImage& partition) {
  record::PartitionState out;
  out.set_topic_id(partition.topic_id.ToBytes());
  out.set_partition(partition.index.value());
  out.set_partition_uid(partition.uid.value());
  SetIds(out.mutable_replicas(), partition.replicas);
  SetIds(out.mutable_isr(), partition.isr);
  SetIds(out.mutable_elr(), partition.elr);
  out.set_leader(partition.leader.value());
  out.set_leader_epoch(partition.leader_epoch.value());
  out.set_partition_epoch(partition.partition_epoch.value());
  out.set_last_known_leader(partition.last_known_leader.value());
  if (partition.unclean_epoch != kNoLeaderEpoch) {
    out.set_unclean_epoch(partition.unclean_epoch.value());
  }
  return out;
}

// An epoch of 0 stands for the index of the record's own entry: a leader learns the index only
// when it proposes the record.
BrokerImage ToImage(LogIndex index, const record::BrokerRegistered& record) {
  BrokerImage out;
  out.id = BrokerId(record.broker_id());
  out.epoch = BrokerEpoch(record.broker_epoch() != 0 ? record.broker_epoch()
                                                     : static_cast<int64_t>(index.value()));
  out.directory_id = RequiredUuid(record.directory_id());
  out.incarnation_id = RequiredUuid(record.incarnation_id());
  out.client_endpoint = ToHostPort(record.client_endpoint());
  out.peer_endpoint = ToHostPort(record.peer_endpoint());
  out.kafka_endpoint = ToHostPort(record.kafka_endpoint());
  out.rack = record.rack();
  out.version = record.version();
  out.fenced = record.fenced();
  out.in_controlled_shutdown = record.in_controlled_shutdown();
  out.disk_stalled = record.disk_stalled();
  out.heard_epoch =
      record.heard_broker_epoch() != 0 ? BrokerEpoch(record.heard_broker_epoch()) : kNoBrokerEpoch;
  out.unclean = record.unclean();
  out.drain = record.drain();
  return out;
}

PartitionImage ToImage(const record::PartitionState& record) {
  PartitionImage out;
  out.uid = PartitionUid(record.partition_uid());
  out.topic_id = RequiredUuid(record.topic_id());
  out.index = PartitionIndex(record.partition());
  out.replicas = ToBrokerIds(record.replicas());
  out.isr = ToBrokerIds(record.isr());
  out.elr = ToBrokerIds(record.elr());
  out.leader = BrokerId(record.leader());
  out.last_known_leader = BrokerId(record.last_known_leader());
  out.leader_epoch = LeaderEpoch(record.leader_epoch());
  out.partition_epoch = PartitionEpoch(record.partition_epoch());
  if (record.unclean_epoch() != 0) out.unclean_epoch = LeaderEpoch(record.unclean_epoch());
  return out;
}

void ApplyChange(const record::PartitionChange& change, PartitionImage& partition) {
  if (change.has_leader()) {
    partition.leader = BrokerId(change.leader());
    if (partition.leader != kNoBroker) partition.last_known_leader = partition.leader;
    ++partition.leader_epoch;
    if (change.unclean()) partition.unclean_epoch = partition.leader_epoch;
  }
  if (change.isr_changed()) partition.isr = ToBrokerIds(change.isr());
  if (change.elr_changed()) partition.elr = ToBrokerIds(change.elr());
  ++partition.partition_epoch;
}

}  // namespace

const BrokerImage* MetadataImage::FindBroker(BrokerId id) const {
  const auto it = brokers_.find(id);
  return it == brokers_.end() ? nullptr : &it->second;
}

const std::string* MetadataImage::FindDynamicConfig(BrokerId broker, absl::string_view key) const {
  for (const BrokerId scope : {broker, kNoBroker}) {
    const auto found = dynamic_configs_.find(scope);
    if (found == dynamic_configs_.end()) continue;
    const auto value = found->second.find(std::string(key));
    if (value != found->second.end()) return &value->second;
  }
  return nullptr;
}

const TopicImage* MetadataImage::FindTopic(TopicId id) const {
  const auto it = topics_.find(id);
  return it == topics_.end() ? nullptr : &it->second;
}

const TopicImage* MetadataImage::FindTopicByName(absl::string_view name) const {
  const auto it = topic_ids_.find(std::string(name));
  return it == topic_ids_.end() ? nullptr : FindTopic(it->second);
}

const PartitionImage* MetadataImage::FindPartition(PartitionUid uid) const {
  const auto it = partitions_.find(uid);
  return it == partitions_.end() ? nullptr : &it->second;
}

const PartitionImage* MetadataImage::FindPartition(TopicId topic, PartitionIndex index) const {
  const TopicImage* found = FindTopic(topic);
  if (found == nullptr || index.value() < 0 ||
      static_cast<size_t>(index.value()) >= found->partitions.size()) {
    return nullptr;
  }
  return FindPartition(found->partitions[static_cast<size_t>(index.value())]);
}

void MetadataImage::Apply(LogIndex index, const record::MetadataBatch& batch) {
  QUIPU_CHECK_MSG(index > index_, "metadata entries are applied in log order, each once");
  for (const record::MetadataRecord& record : batch.records()) ApplyRecord(index, record);
  index_ = index;
}

void MetadataImage::ApplyBroker(LogIndex index, const record::MetadataRecord& record) {
  if (record.has_broker_registered()) {
    BrokerImage broker = ToImage(index, record.broker_registered());
    brokers_.insert_or_assign(broker.id, std::move(broker));
  } else if (record.has_broker_fencing()) {
    const record::BrokerFencing& fencing = record.broker_fencing();
    const auto it = brokers_.find(BrokerId(fencing.broker_id()));
    QUIPU_CHECK_MSG(it != brokers_.end(), "fencing of an unknown broker");
    QUIPU_CHECK_MSG(it->second.epoch == BrokerEpoch(fencing.broker_epoch()),
                    "fencing of another broker epoch");
    it->second.fenced = fencing.fenced();
    it->second.in_controlled_shutdown = fencing.in_controlled_shutdown();
    it->second.disk_stalled = fencing.disk_stalled();
    it->second.drain = fencing.drain();
    if (!fencing.fenced()) it->second.heard_epoch = it->second.epoch;
  } else {
    const BrokerId id(record.broker_unregistered().broker_id());
    QUIPU_CHECK_MSG(brokers_.erase(id) == 1, "removal of an unknown broker");
  }
}

void MetadataImage::ApplyTopic(const record::MetadataRecord& record) {
  if (record.has_topic_created()) {
    TopicImage topic;
    topic.id = RequiredUuid(record.topic_created().topic_id());
    topic.name = record.topic_created().name();
    QUIPU_CHECK_MSG(topic_ids_.emplace(topic.name, topic.id).second, "topic name in use");
    QUIPU_CHECK_MSG(topics_.emplace(topic.id, std::move(topic)).second, "topic id in use");
  } else if (record.has_topic_removed()) {
    const auto it = topics_.find(RequiredUuid(record.topic_removed().topic_id()));
    QUIPU_CHECK_MSG(it != topics_.end(), "removal of an unknown topic");
    for (const PartitionUid uid : it->second.partitions) partitions_.erase(uid);
    topic_ids_.erase(it->second.name);
    topics_.erase(it);
  } else {
    const record::TopicConfig& config = record.topic_config();
    const auto it = topics_.find(RequiredUuid(config.topic_id()));
    QUIPU_CHECK_MSG(it != topics_.end(), "config of an unknown topic");
    if (config.removed()) {
      it->second.configs.erase(config.key());
    } else {
      it->second.configs.insert_or_assign(config.key(), config.value());
    }
  }
}

void MetadataImage::ApplyPartition(const record::MetadataRecord& record) {
  if (record.has_partition_change()) {
    const auto it = partitions_.find(PartitionUid(record.partition_change().partition_uid()));
    QUIPU_CHECK_MSG(it != partitions_.end(), "change of an unknown partition");
    ApplyChange(record.partition_change(), it->second);
    return;
  }
  PartitionImage partition = ToImage(record.partition());
  const auto topic = topics_.find(partition.topic_id);
  QUIPU_CHECK_MSG(topic != topics_.end(), "partition of an unknown topic");
  const auto position = static_cast<size_t>(partition.index.value());
  std::vector<PartitionUid>& uids = topic->second.partitions;
  QUIPU_CHECK_MSG(position <= uids.size(),
                  "partitions of a topic come in the order of their index");
  if (position == uids.size()) {
    uids.push_back(partition.uid);
  } else {
    QUIPU_CHECK_MSG(uids[position] == partition.uid, "a partition's uid never changes");
  }
  next_partition_uid_ = std::max(next_partition_uid_, partition.uid + 1);
  partitions_.insert_or_assign(partition.uid, std::move(partition));
}

void MetadataImage::ApplyDynamicConfig(const record::DynamicConfigSet& set) {
  const BrokerId broker(set.broker_id());
  if (!set.removed()) {
    dynamic_configs_[broker].insert_or_assign(set.key(), set.value());
    return;
  }
  const auto it = dynamic_configs_.find(broker);
  if (it == dynamic_configs_.end()) return;
  it->second.erase(set.key());
  if (it->second.empty()) dynamic_configs_.erase(it);
}

void MetadataImage::ApplyRecord(LogIndex index, const record::MetadataRecord& record) {
  switch (record.record_case()) {
    case record::MetadataRecord::kBrokerRegistered:
    case record::MetadataRecord::kBrokerFencing:
    case record::MetadataRecord::kBrokerUnregistered:
      ApplyBroker(index, record);
      return;
    case record::MetadataRecord::kTopicCreated:
    case record::MetadataRecord::kTopicRemoved:
    case record::MetadataRecord::kTopicConfig:
      ApplyTopic(record);
      return;
    case record::MetadataRecord::kPartition:
    case record::MetadataRecord::kPartitionChange:
      ApplyPartition(record);
      return;
    case record::MetadataRecord::kDynamicConfig:
      ApplyDynamicConfig(record.dynamic_config());
      return;
    case record::MetadataRecord::kProducerIdsGranted: {
      const ProducerId next(record.producer_ids_granted().next_producer_id());
      QUIPU_CHECK_MSG(next > next_producer_id_, "producer ids are never granted twice");
      next_producer_id_ = next;
      return;
    }
    case record::MetadataRecord::kClusterState: {
      const record::ClusterState& state = record.cluster_state();
      cluster_id_ = RequiredUuid(state.cluster_id());
      next_partition_uid_ = std::max(next_partition_uid_, PartitionUid(state.next_partition_uid()));
      next_producer_id_ = std::max(next_producer_id_, ProducerId(state.next_producer_id()));
      return;
    }
    case record::MetadataRecord::RECORD_NOT_SET:
      break;
  }
  QUIPU_CHECK_MSG(false, "metadata record of a kind that this version does not know");
}

std::vector<record::MetadataRecord> MetadataImage::ToSnapshot() const {
  std::vector<record::MetadataRecord> out;
  out.reserve(1 + brokers_.size() + topics_.size() * 2 + partitions_.size());
  if (!cluster_id_.IsZero()) {
    record::ClusterState* state = out.emplace_back().mutable_cluster_state();
    state->set_cluster_id(cluster_id_.ToBytes());
    state->set_next_partition_uid(next_partition_uid_.value());
    state->set_next_producer_id(next_producer_id_.value());
  }
  for (const auto& [id, broker] : brokers_) {
    *out.emplace_back().mutable_broker_registered() = ToRecord(broker);
  }
  for (const auto& [broker, configs] : dynamic_configs_) {
    for (const auto& [key, value] : configs) {
      record::DynamicConfigSet* set = out.emplace_back().mutable_dynamic_config();
      set->set_broker_id(broker.value());
      set->set_key(key);
      set->set_value(value);
    }
  }
  for (const auto& [id, topic] : topics_) {
    record::TopicCreated* created = out.emplace_back().mutable_topic_created();
    created->set_topic_id(id.ToBytes());
    created->set_name(topic.name);
    for (const auto& [key, value] : topic.configs) {
      record::TopicConfig* config = out.emplace_back().mutable_topic_config();
      config->set_topic_id(id.ToBytes());
      config->set_key(key);
      config->set_value(value);
    }
    for (const PartitionUid uid : topic.partitions) {
      *out.emplace_back().mutable_partition() = ToRecord(partitions_.at(uid));
    }
  }
  return out;
}

MetadataImage MetadataImage::FromSnapshot(LogIndex index,
                                          const std::vector<record::MetadataRecord>& records) {
  MetadataImage out;
  for (const record::MetadataRecord& record : records) out.ApplyRecord(index, record);
  out.index_ = index;
  return out;
}

}  // namespace quipu
