#include "tests/simulation/checkers/partition_checker.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "broker/shard/assignment.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/leader_selector.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

std::string Name(PartitionUid uid) { return "partition " + uid.ToString(); }

// min(min.insync.replicas, replication factor) of a partition.
size_t EffectiveMinIsr(const MetadataImage& image, const PartitionImage& partition) {
  size_t configured = 2;
  const TopicImage* topic = image.FindTopic(partition.topic_id);
  if (topic != nullptr) {
    const auto found = topic->configs.find("min.insync.replicas");
    if (found != topic->configs.end()) configured = std::stoul(found->second);
  }
  return std::min(configured, partition.replicas.size());
}

}  // namespace

void PartitionChecker::OnDurable(BrokerId broker, const std::vector<LogWrite>& writes) {
  for (const LogWrite& write : writes) {
    if (write.mutation.truncate_to.has_value()) ++counters_.truncations;
  }
  shadows_.OnDurable(broker, cluster_.FindBroker(broker)->disk().store(), writes);
}

void PartitionChecker::OnDiskLost(SimBroker& broker) {
  lost_[broker.id()].clear();
  for (const auto& [uid, partition] : image_->partitions()) {
    Offset& former = former_ends_[{broker.id(), uid}];
    former = std::max(former, shadows_.End(broker.id(), uid));
  }
  shadows_.OnReplaced(broker.id(), broker.disk().store());
  // Logs are compared with one that has everything.
  for (auto& [uid, holder] : holder_) {
    if (holder != broker.id()) continue;
    const PartitionImage& partition = *image_->FindPartition(uid);
    for (const auto* members : {&partition.elr, &partition.isr}) {
      for (const BrokerId member : *members) {
        if (member != broker.id() && !IsLost(member)) holder = member;
      }
    }
  }
}

Offset PartitionChecker::CountedEnd(BrokerId broker, PartitionUid uid) const {
  const auto former = former_ends_.find({broker, uid});
  const Offset end = shadows_.End(broker, uid);
  return former == former_ends_.end() ? end : std::max(end, former->second);
}

void PartitionChecker::LearnRegistrations() {
  std::erase_if(lost_, [this](const auto& entry) {
    const BrokerImage* known = image_->FindBroker(entry.first);
    return known != nullptr && entry.second.contains(known->incarnation_id.ToBytes());
  });
  std::erase_if(former_ends_, [this](const auto& entry) {
    const auto& [broker, uid] = entry.first;
    const PartitionImage* partition = image_->FindPartition(uid);
    // Its registration took it out of the ISR: who is in has joined since.
    return partition == nullptr || (!IsLost(broker) && Contains(partition->isr, broker));
  });
}

void PartitionChecker::OnControlSent(const message::BrokerToController& message) {
  if (message.has_register_()) {
    const auto lost = lost_.find(BrokerId(message.register_().broker_id()));
    if (lost != lost_.end()) lost->second.insert(message.register_().incarnation_id());
  }
  for (const message::IsrChange& change : message.alter_partitions().changes()) {
    for (const message::IsrMember& member : change.new_isr()) {
      proposed_[{PartitionUid(change.partition_uid()), PartitionEpoch(change.partition_epoch()),
                 BrokerId(member.broker_id())}]
          .insert(BrokerEpoch(member.broker_epoch()));
    }
  }
}

void PartitionChecker::OnControlAnswered(SimController& sender, BrokerId broker,
                                         const message::ControllerToBroker& message) {
  if (!message.heartbeat().shall_stop()) return;
  drains_.OnToldToStop(broker, *sender.node()->inspector().image());
}

void PartitionChecker::CheckJoined(const MetadataImage& after, const PartitionImage& before,
                                   const PartitionImage& partition) const {
  // Images may be skipped: only the very next one tells what the proposal did.
  if (partition.partition_epoch != before.partition_epoch + 1) return;
  // An election out of the ELR is not the leader's proposal.
  if (partition.leader_epoch != before.leader_epoch) return;
  for (const BrokerId member : partition.isr) {
    if (Contains(before.isr, member)) continue;
    const auto proposal = proposed_.find({partition.uid, before.partition_epoch, member});
    if (proposal == proposed_.end()) continue;  // elected out of the ELR
    Require(proposal->second.contains(after.FindBroker(member)->epoch), "I32", [&] {
      return Name(partition.uid) + ": broker " + member.ToString() +
             " joined the ISR with another epoch than the leader had seen";
    });
  }
}

Offset PartitionChecker::TrueHighWatermark(PartitionUid uid) const {
  const auto found = true_high_watermark_.find(uid);
  return found == true_high_watermark_.end() ? Offset(0) : found->second;
}

std::optional<LeaderEpoch> PartitionChecker::EpochOfRecord(PartitionUid uid, Offset offset) const {
  const auto holder = holder_.find(uid);
  if (holder == holder_.end()) return std::nullopt;
  const ShadowLog* log = shadows_.Find(holder->second, uid);
  if (log == nullptr) return std::nullopt;
  const auto batch = log->batches.lower_bound(offset);
  if (batch == log->batches.end() || batch->second.base_offset > offset) return std::nullopt;
  return batch->second.epoch;
}

void PartitionChecker::AfterControllerStep(SimController& controller) {
  if (!controller.running()) return;
  const MetadataImagePtr image = controller.node()->inspector().image();
  if (image == nullptr || (image_ != nullptr && image->index() <= image_->index())) return;
  controller.node()->inspector().core().CheckInvariants();
  CheckImage(image_ == nullptr ? MetadataImage() : *image_, *image);
  const MetadataImagePtr before = image_;
  image_ = image;
  LearnRegistrations();
  for (const auto& [uid, partition] : image_->partitions()) {
    const PartitionImage* old = before == nullptr ? nullptr : before->FindPartition(uid);
    // Only a change of the partition changes who may lead.
    if (old == nullptr || !(*old == partition)) CheckIsrHasCommitted(uid, Offset(0));
  }
}

void PartitionChecker::CheckDrain(const MetadataImage& before, const MetadataImage& after,
                                  const PartitionImage& old_state, const PartitionImage& partition,
                                  size_t min_isr) {
  if (after.index() != before.index() + 1) return;
  const bool by_leader =
      std::any_of(partition.isr.begin(), partition.isr.end(), [&](BrokerId member) {
        return proposed_.contains({partition.uid, old_state.partition_epoch, member});
      });
  drains_.OnPartition(before, after, old_state, partition, by_leader, min_isr);
}

void PartitionChecker::CheckImage(const MetadataImage& before, const MetadataImage& after) {
  drains_.OnImage(before, after);
  for (const auto& [uid, partition] : after.partitions()) {
    const PartitionImage* old = before.FindPartition(uid);
    if (old != nullptr && *old == partition) continue;
    const size_t min_isr = EffectiveMinIsr(after, partition);
    Require(partition.leader == kNoBroker || Contains(partition.isr, partition.leader), "I31", [&] {
      return Name(uid) + ": leader " + partition.leader.ToString() + " not in the ISR";
    });
    for (const BrokerId member : partition.isr) {
      const BrokerImage* broker = after.FindBroker(member);
      Require(broker != nullptr && !broker->fenced, "I31",
              [&] { return Name(uid) + ": fenced broker " + member.ToString() + " in the ISR"; });
      Require(!Contains(partition.elr, member), "I31",
              [&] { return Name(uid) + ": broker " + member.ToString() + " in ISR and ELR"; });
    }
    Require(partition.isr.size() < min_isr || partition.elr.empty(), "I31",
            [&] { return Name(uid) + ": the ISR is large enough and the ELR is not empty"; });
    Require(!partition.isr.empty() || !partition.elr.empty(), "I31",
            [&] { return Name(uid) + ": nobody may lead it any more"; });
    if (!partition.elr.empty()) ++counters_.elr_uses;
    if (old == nullptr) continue;
    Require(partition.leader_epoch >= old->leader_epoch, "I26",
            [&] { return Name(uid) + ": the leader epoch went back"; });
    Require(partition.leader == old->leader || partition.leader_epoch > old->leader_epoch, "I33",
            [&] { return Name(uid) + ": a new leader in the old epoch"; });
    CheckJoined(after, *old, partition);
    CheckDrain(before, after, *old, partition, min_isr);
    if (partition.leader_epoch != old->leader_epoch) ++counters_.leader_changes;
    const BrokerImage* former = after.FindBroker(old->leader);
    if (partition.leader != old->leader && former != nullptr && former->disk_stalled &&
        !former->fenced) {
      ++counters_.leaders_shed;
    }
    if (partition.isr.size() < old->isr.size()) ++counters_.isr_shrinks;
    if (partition.isr.size() > old->isr.size()) ++counters_.isr_expands;
  }
}

// I20, I21: whoever may lead next holds everything that was ever committed, and the same of it.
void PartitionChecker::CheckIsrHasCommitted(PartitionUid uid, Offset from) {
  if (image_ == nullptr) return;
  const PartitionImage* partition = image_->FindPartition(uid);
  if (partition == nullptr) return;
  const Offset mark = TrueHighWatermark(uid);
  if (mark == Offset(0)) return;
  const auto holder = holder_.find(uid);
  for (const auto* members : {&partition->isr, &partition->elr}) {
    const char* id = members == &partition->isr ? "I20" : "I21";
    for (const BrokerId member : *members) {
      if (IsLost(member)) continue;
      Require(shadows_.End(member, uid) >= mark, id, [&] {
        return Name(uid) + ": broker " + member.ToString() + " may lead but holds only up to " +
               shadows_.End(member, uid).ToString() + " durably; committed is " + mark.ToString();
      });
      if (holder != holder_.end() && holder->second != member) {
        shadows_.RequireSame("I24", uid, holder->second, member, from, mark);
      }
    }
  }
}

void PartitionChecker::AfterBrokerStep(SimBroker& broker) {
  if (!broker.running()) return;
  const BrokerNode::Inspector& inspector = broker.node()->inspector();
  for (const PartitionUid uid : inspector.partitions()) {
    const PartitionCore* core = inspector.FindPartition(uid);
    if (core == nullptr) continue;
    const Seen now{.incarnation = broker.incarnation(),
                   .role = core->role(),
                   .epoch = core->leader_epoch(),
                   .partition_epoch = core->partition_epoch(),
                   .high_watermark = core->high_watermark(),
                   .durable_end = core->durable_end_offset(),
                   .log_end = core->log_end_offset(),
                   .isr_size = core->maximal_isr().size()};
    Seen& before = seen_[{broker.id(), uid}];
    if (before == now) continue;
    if (before.incarnation != now.incarnation) before = Seen{};
    core->CheckInvariants();
    CheckReplica(broker.id(), *core, before, now);
    before = now;
  }
}

void PartitionChecker::CheckReplica(BrokerId broker, const PartitionCore& core, const Seen& before,
                                    const Seen& after) {
  const PartitionUid uid = core.identity().uid;
  // A follower that begins anew at a log start that operators have moved holds nothing below it.
  const Offset begins_at = std::min(core.log_start_offset(), deleted_end(uid));
  const Offset on_disk = std::max(shadows_.End(broker, uid), begins_at);
  Require(after.durable_end <= on_disk, "I28", [&] {
    return Name(uid) + ": broker " + broker.ToString() + " says it is durable up to " +
           after.durable_end.ToString() + ", its disk ends at " + on_disk.ToString();
  });
  if (before.role == after.role && before.epoch == after.epoch) {
    Require(after.role != PartitionRole::kLeader || after.high_watermark >= before.high_watermark,
            "I26",
            [&] { return Name(uid) + ": the leader's high watermark fell within an epoch"; });
  }
  if (after.role == PartitionRole::kLeader) CheckLeader(broker, core);
}

void PartitionChecker::CheckLeader(BrokerId broker, const PartitionCore& core) {
  const PartitionUid uid = core.identity().uid;
  const PartitionImage* committed = image_ == nullptr ? nullptr : image_->FindPartition(uid);
  const bool is_current = committed != nullptr && committed->leader == broker &&
                          committed->leader_epoch == core.leader_epoch();
  const Offset mark = TrueHighWatermark(uid);
  if (is_current) {
    Require(core.log_end_offset() >= mark, "I22", [&] {
      return Name(uid) + ": leader " + broker.ToString() + " of epoch " +
             core.leader_epoch().ToString() + " ends at " + core.log_end_offset().ToString() +
             ", committed is " + mark.ToString();
    });
    const std::vector<BrokerId> maximal = core.maximal_isr();
    const size_t min_isr = EffectiveMinIsr(*image_, *committed);
    if (core.isr().size() >= min_isr) {
      for (const auto* members : {&committed->isr, &committed->elr}) {
        for (const BrokerId member : *members) {
          Require(Contains(maximal, member), "I23", [&] {
            return Name(uid) + ": broker " + member.ToString() +
                   " may lead next but is not in the leader's maximal ISR";
          });
        }
      }
    }
  }
  if (core.high_watermark() <= mark) return;
  // The mark rises: everything below it is durable on the whole maximal ISR (I28).
  for (const BrokerId member : core.maximal_isr()) {
    Require(CountedEnd(member, uid) >= core.high_watermark(), "I28", [&] {
      return Name(uid) + ": high watermark " + core.high_watermark().ToString() + " of leader " +
             broker.ToString() + " is above the durable end " + CountedEnd(member, uid).ToString() +
             " of in-sync broker " + member.ToString();
    });
  }
  if (committed != nullptr) {
    Require(core.isr().size() >= EffectiveMinIsr(*image_, *committed), "I27", [&] {
      return Name(uid) + ": the high watermark rose to " + core.high_watermark().ToString() +
             " with an ISR of " + std::to_string(core.isr().size());
    });
  }
  true_high_watermark_[uid] = core.high_watermark();
  holder_[uid] = broker;
  CheckIsrHasCommitted(uid, mark);
  if (committed == nullptr || !on_offsets_committed) return;
  const TopicImage* topic = image_->FindTopic(committed->topic_id);
  if (topic != nullptr && topic->name == kOffsetsTopic) {
    TellCommitted(broker, uid, mark, core.high_watermark());
  }
}

void PartitionChecker::TellCommitted(BrokerId broker, PartitionUid uid, Offset from, Offset to) {
  const LogStore& store = cluster_.FindBroker(broker)->disk().store();
  for (const KnownLog& known : store.Logs()) {
    if (known.uid != uid) continue;
    const auto batches = store.Read(known.log_id, from, to, std::numeric_limits<size_t>::max());
    Require(batches.ok(), "I62", [&] { return Name(uid) + ": what was committed is unreadable"; });
    on_offsets_committed(*batches);
  }
}

}  // namespace quipu::sim
