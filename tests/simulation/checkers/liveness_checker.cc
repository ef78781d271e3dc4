#include "tests/simulation/checkers/liveness_checker.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/raft/raft_core.h"

namespace quipu::sim {
namespace {

bool IsIn(const std::vector<BrokerId>& brokers, BrokerId broker) {
  return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

}  // namespace

std::string LivenessChecker::Unsettled() const {
  std::string open;
  for (const auto& producer : ports_.producers) {
    if (!producer->Idle()) open += " a producer still has batches;";
  }
  if (ports_.nemesis.lost_voter().open()) open += " a lost voter is not replaced;";
  CheckControllers(open);
  CheckBrokers(open);
  CheckPartitions(open);
  if (!SomebodyIsAway()) {
    CheckGroup(open);
    ports_.classic.CheckSettled(open);
    open += ports_.damage.Unrepaired();
  }
  return open;
}

bool LivenessChecker::SomebodyIsAway() const {
  const auto& brokers = ports_.cluster.brokers();
  return std::any_of(brokers.begin(), brokers.end(),
                     [&](const auto& broker) { return IsAway(broker->id()); });
}

void LivenessChecker::CheckControllers(std::string& open) const {
  std::set<ControllerId> leaders;
  for (const auto& controller : ports_.cluster.controllers()) {
    if (ports_.nemesis.IsAway(ControllerNodeId(controller->id()))) continue;
    const std::string name = " controller " + controller->id().ToString();
    if (!controller->running()) {
      open += name + " is down;";
      continue;
    }
    const RaftCore& raft = controller->node()->inspector().raft();
    leaders.insert(raft.leader());
    if (raft.leader() == controller->id() && !raft.IsReadyLeader()) open += name + " only begins;";
    const MetadataImagePtr image = controller->node()->inspector().image();
    if (image == nullptr || image->index() != ports_.partitions.image()->index()) {
      open += name + " has old metadata;";
    }
  }
  if (leaders.size() != 1 || leaders.contains(kNoController)) {
    open += " the controllers follow " + std::to_string(leaders.size()) + " leaders or none;";
  }
}

void LivenessChecker::CheckBrokers(std::string& open) const {
  for (const auto& broker : ports_.cluster.brokers()) {
    const std::string name = " broker " + broker->id().ToString();
    const BrokerImage* known = ports_.partitions.image()->FindBroker(broker->id());
    if (IsAway(broker->id())) {
      if (known != nullptr && !known->fenced) open += name + " is away and not fenced;";
      continue;
    }
    if (!broker->running()) {
      open += name + " is down;";
      continue;
    }
    if (known == nullptr || known->fenced) open += name + " is fenced;";
    const MetadataImagePtr image = broker->node()->inspector().image();
    if (image == nullptr || image->index() != ports_.partitions.image()->index()) {
      open += name + " has old metadata;";
    }
  }
}

bool LivenessChecker::LeadsWell(PartitionUid uid, const PartitionImage& partition) const {
  for (const auto& broker : ports_.cluster.brokers()) {
    if (broker->id() != partition.leader || !broker->running()) continue;
    const PartitionCore* core = broker->node()->inspector().FindPartition(uid);
    if (core == nullptr || core->role() != PartitionRole::kLeader ||
        core->leader_epoch() != partition.leader_epoch) {
      return false;
    }
    // With too small an ISR nothing is committed (PR2).
    return SomebodyIsAway() || core->high_watermark() == core->log_end_offset();
  }
  return false;
}

void LivenessChecker::CheckPartitions(std::string& open) const {
  for (const auto& [uid, partition] : ports_.partitions.image()->partitions()) {
    CheckPartition(uid, partition, open);
  }
}

void LivenessChecker::CheckPartition(PartitionUid uid, const PartitionImage& partition,
                                     std::string& open) const {
  const std::string name = " partition " + uid.ToString();
  if (partition.leader == kNoBroker) {
    const auto is_there = [this](BrokerId broker) { return !IsAway(broker); };
    const bool may_be_led = std::any_of(partition.isr.begin(), partition.isr.end(), is_there) ||
                            std::any_of(partition.elr.begin(), partition.elr.end(), is_there);
    if (may_be_led || !SomebodyIsAway()) open += name + " has no leader;";
    return;
  }
  if (!LeadsWell(uid, partition)) {
    open += name + ": leader " + partition.leader.ToString() +
            " does not know it, or has not committed all that it has;";
  }
  for (const BrokerId replica : partition.replicas) {
    if (IsIn(partition.isr, replica) == !IsAway(replica)) continue;
    open += name + " led by " + partition.leader.ToString() +
            (IsAway(replica) ? " has in its ISR absent broker " : " has an ISR without broker ") +
            replica.ToString() + ';';
  }
}

void LivenessChecker::CheckGroup(std::string& open) const {
  if (ports_.consumers.empty()) return;
  CheckOwners(open);
  const TopicImage* topic = ports_.partitions.image()->FindTopicByName(topic_);
  for (const PartitionUid uid : topic->partitions) {
    const TopicPartition partition{topic->id, ports_.partitions.image()->FindPartition(uid)->index};
    std::string positions;
    bool read = false;
    for (const auto& consumer : ports_.consumers) {
      if (!consumer->running()) continue;
      const auto position = consumer->core().fetch().Position(partition);
      if (!position) continue;
      positions += ' ' + position->offset.ToString();
      read |= position->offset == ports_.partitions.TrueHighWatermark(uid);
    }
    if (read) continue;
    open += " the group has not read index " + partition.partition.ToString() + " up to " +
            ports_.partitions.TrueHighWatermark(uid).ToString() + ", it stands at" +
            (positions.empty() ? " nothing" : positions) + ';';
  }
}

// Every member is in, at the same epoch, and each partition has one owner.
void LivenessChecker::CheckOwners(std::string& open) const {
  std::set<int32_t> epochs;
  std::map<TopicPartition, size_t> owners;
  for (const auto& consumer : ports_.consumers) {
    if (!consumer->running()) continue;
    const GroupSession& group = consumer->core().group();
    if (!group.is_member()) open += " a consumer is no member;";
    epochs.insert(group.member_epoch());
    for (const TopicPartition& partition : group.owned()) ++owners[partition];
  }
  if (epochs.size() != 1) open += " members stand at different epochs;";
  const TopicImage* topic = ports_.partitions.image()->FindTopicByName(topic_);
  if (owners.size() != topic->partitions.size()) open += " not every partition has an owner;";
  for (const auto& [partition, count] : owners) {
    if (count != 1) open += " index " + partition.partition.ToString() + " has several owners;";
  }
}

}  // namespace quipu::sim
