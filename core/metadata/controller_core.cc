// Life of the core, time, fencing and leader balance. Brokers' requests are in
// controller_core_brokers.cc, clients' in controller_core_topics.cc.
#include "core/metadata/controller_core.h"

#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/metadata/metadata_invariants.h"
#include "core/metadata/partition_changes.h"

namespace quipu {

ControllerCore::ControllerCore(Options options, uint64_t seed)
    : options_(options), rng_(seed), liveness_(options.session_timeout) {}

void ControllerCore::Activate(MetadataImage committed, Instant now) {
  image_ = std::move(committed);
  active_ = true;
  liveness_.StartAll(image_, now);
  last_time_ = now;
  next_balance_ = now + options_.leader_imbalance_check_interval;
  unbalanced_.clear();
}

void ControllerCore::Deactivate() {
  active_ = false;
  image_ = MetadataImage();
  liveness_.Clear();
  last_time_.reset();
  unbalanced_.clear();
}

void ControllerCore::Replay(LogIndex index, const record::MetadataBatch& batch, Instant now) {
  QUIPU_CHECK(active_);
  image_.Apply(index, batch);
  for (const record::MetadataRecord& record : batch.records()) {
    if (record.has_broker_registered()) {
      const BrokerId id(record.broker_registered().broker_id());
      liveness_.Start(id, image_.FindBroker(id)->epoch, now);
    } else if (record.has_broker_unregistered()) {
      liveness_.Remove(BrokerId(record.broker_unregistered().broker_id()));
    }
  }
}

record::MetadataBatch ControllerCore::Bootstrap() const {
  record::MetadataBatch batch;
  if (!image_.cluster_id().IsZero()) {
    QUIPU_CHECK_MSG(image_.cluster_id() == options_.cluster_id,
                    "the metadata log is another cluster's");
    return batch;
  }
  record::ClusterState* state = batch.add_records()->mutable_cluster_state();
  state->set_cluster_id(options_.cluster_id.ToBytes());
  state->set_next_partition_uid(image_.next_partition_uid().value());
  state->set_next_producer_id(image_.next_producer_id().value());
  return batch;
}

int32_t ControllerCore::MinIsr(const PartitionImage& partition) const {
  return EffectiveMinIsr(*image_.FindTopic(partition.topic_id), partition);
}

void ControllerCore::RemoveFromIsrs(BrokerId broker, bool lost,
                                    record::MetadataBatch& batch) const {
  LeaderSelector selector(image_);
  selector.Assume(broker, false);
  for (const auto& [uid, partition] : image_.partitions()) {
    const bool eligible = lost && Contains(partition.elr, broker);
    if (!Contains(partition.isr, broker) && !eligible) continue;
    std::vector<BrokerId> rest;
    for (const BrokerId member : partition.isr) {
      if (member != broker) rest.push_back(member);
    }
    std::optional<record::PartitionChange> change =
        ChangeIsr(partition, rest, MinIsr(partition), selector, lost ? broker : kNoBroker);
    if (!change.has_value()) continue;  // only with a planted bug
    *batch.add_records()->mutable_partition_change() = *std::move(change);
  }
}

void ControllerCore::ElectOnReturn(BrokerId broker, record::MetadataBatch& batch) const {
  LeaderSelector selector(image_);
  selector.Assume(broker, true);
  for (const auto& [uid, partition] : image_.partitions()) {
    if (partition.leader != kNoBroker) continue;
    if (!Contains(partition.elr, broker) &&
        !(IsPlanted(PlantedBug::kUncleanElection) && Contains(partition.replicas, broker))) {
      continue;
    }
    std::optional<record::PartitionChange> change =
        ChangeIsr(partition, partition.isr, MinIsr(partition), selector);
    if (change.has_value()) *batch.add_records()->mutable_partition_change() = *std::move(change);
  }
}

void ControllerCore::ShedLeaders(BrokerId broker, record::MetadataBatch& batch) const {
  LeaderSelector selector(image_);
  selector.AssumeStalled(broker, true);
  for (const auto& [uid, partition] : image_.partitions()) {
    if (!Contains(partition.isr, broker)) continue;
    std::optional<record::PartitionChange> change =
        ChangeIsr(partition, partition.isr, MinIsr(partition), selector);
    if (change.has_value()) *batch.add_records()->mutable_partition_change() = *std::move(change);
  }
}

record::MetadataBatch ControllerCore::FencingBatch(const BrokerImage& broker) const {
  record::MetadataBatch batch;
  record::BrokerFencing* fencing = batch.add_records()->mutable_broker_fencing();
  CopyFencing(broker, *fencing);
  fencing->set_fenced(true);
  RemoveFromIsrs(broker.id, /*lost=*/false, batch);
  return batch;
}

record::MetadataBatch ControllerCore::FenceBroker(BrokerId broker, BrokerEpoch epoch) const {
  const BrokerImage* found = image_.FindBroker(broker);
  if (found == nullptr || found->epoch != epoch || found->fenced) return {};
  return FencingBatch(*found);
}

record::MetadataBatch ControllerCore::OnTime(Instant now) {
  QUIPU_CHECK(active_);
  if (last_time_.has_value() && now - *last_time_ > options_.session_timeout / 3) {
    liveness_.Extend(now - *last_time_);
  }
  last_time_ = now;
  for (const auto& [id, broker] : image_.brokers()) {
    if (!broker.fenced && !liveness_.IsLive(id, now)) return FencingBatch(broker);
  }
  record::MetadataBatch shed = ShedDrainingBrokers();
  if (shed.records_size() > 0) return shed;
  return BalanceLeaders(now);
}

bool ControllerCore::WantsPreferredLeader(const PartitionImage& partition,
                                          const LeaderSelector& selector) const {
  const BrokerId preferred = partition.replicas.front();
  return partition.leader != preferred && Contains(partition.isr, preferred) &&
         selector.IsWilling(preferred);
}

record::MetadataBatch ControllerCore::BalanceLeaders(Instant now) {
  record::MetadataBatch batch;
  if (now < next_balance_ || !Effective().auto_leader_rebalance) return batch;
  next_balance_ = now + options_.leader_imbalance_check_interval;
  const LeaderSelector selector(image_);
  absl::btree_set<PartitionUid> found;
  for (const auto& [uid, partition] : image_.partitions()) {
    if (!WantsPreferredLeader(partition, selector)) continue;
    const bool twice = unbalanced_.contains(uid);
    const bool room = static_cast<size_t>(batch.records_size()) < options_.preferred_elections_max;
    if (twice && room) {
      *batch.add_records()->mutable_partition_change() =
          ChangeLeader(partition, partition.replicas.front());
    } else {
      found.insert(uid);
    }
  }
  unbalanced_ = std::move(found);
  return batch;
}

void ControllerCore::CheckInvariants() const {
  if (active_) CheckMetadataInvariants(image_);
}

}  // namespace quipu
