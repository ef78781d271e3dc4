// Brokers that are to hand over what they do: drained by an operator, or about to stop.
//
// Draining never takes an ISR below its minimum: what the broker holds of a partition stays in the
// ISR until enough others have it (PR2). Only a broker that stops although nobody can take its
// place leaves regardless; its ELR membership then says that its log is complete.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/partition_changes.h"

namespace quipu {
namespace {

Decision<message::AdminResponse> RefuseDrain(ErrorCode error, std::string message) {
  Decision<message::AdminResponse> out;
  out.response.set_error_code(static_cast<int32_t>(error));
  out.response.set_error_message(std::move(message));
  return out;
}

std::vector<BrokerId> Without(std::vector<BrokerId> members, BrokerId broker) {
  std::erase(members, broker);
  return members;
}

}  // namespace

void ControllerCore::CopyFencing(const BrokerImage& broker, record::BrokerFencing& fencing) {
  fencing.set_broker_id(broker.id.value());
  fencing.set_broker_epoch(broker.epoch.value());
  fencing.set_fenced(broker.fenced);
  fencing.set_in_controlled_shutdown(broker.in_controlled_shutdown);
  fencing.set_disk_stalled(broker.disk_stalled);
  fencing.set_drain(broker.drain);
}

bool ControllerCore::IsFullWithout(const PartitionImage& partition, BrokerId broker,
                                   const LeaderSelector& selector) const {
  const auto left = std::count_if(partition.isr.begin(), partition.isr.end(), [&](BrokerId member) {
    return member != broker && selector.IsHealthy(member);
  });
  return left >= MinIsr(partition) || IsPlanted(PlantedBug::kDrainBelowMinimum);
}

void ControllerCore::ShedDraining(BrokerId broker, record::MetadataBatch& batch) const {
  LeaderSelector selector(image_);
  selector.AssumeDraining(broker);
  for (const auto& [uid, partition] : image_.partitions()) {
    if (!Contains(partition.isr, broker)) continue;
    if (IsFullWithout(partition, broker, selector)) {
      std::optional<record::PartitionChange> change =
          ChangeIsr(partition, Without(partition.isr, broker), MinIsr(partition), selector);
      if (change.has_value()) *batch.add_records()->mutable_partition_change() = *std::move(change);
      continue;
    }
    if (partition.leader != broker) continue;
    const BrokerId next = selector.Select(partition, partition.isr, {}).leader;
    if (next == broker || !selector.IsWilling(next)) continue;
    *batch.add_records()->mutable_partition_change() = ChangeLeader(partition, next);
  }
}

bool ControllerCore::IsHeldUp(BrokerId broker) const {
  LeaderSelector selector(image_);
  selector.AssumeDraining(broker);
  return std::any_of(
      image_.partitions().begin(), image_.partitions().end(), [&](const auto& entry) {
        const PartitionImage& partition = entry.second;
        if (!Contains(partition.isr, broker) || IsFullWithout(partition, broker, selector)) {
          return false;
        }
        const auto others =
            std::count_if(partition.replicas.begin(), partition.replicas.end(),
                          [&](BrokerId replica) { return selector.IsWilling(replica); });
        return others >= MinIsr(partition);
      });
}

bool ControllerCore::IsInAnIsr(BrokerId broker) const {
  return std::any_of(image_.partitions().begin(), image_.partitions().end(),
                     [&](const auto& entry) { return Contains(entry.second.isr, broker); });
}

record::MetadataBatch ControllerCore::ShedDrainingBrokers() const {
  record::MetadataBatch batch;
  for (const auto& [id, broker] : image_.brokers()) {
    if (!broker.draining() || broker.fenced || broker.in_controlled_shutdown) continue;
    ShedDraining(id, batch);
    if (batch.records_size() > 0) break;  // the next one sees what this one leaves
  }
  return batch;
}

Decision<message::AdminResponse> ControllerCore::DrainBroker(
    const message::DrainBroker& request) const {
  const BrokerImage* broker = image_.FindBroker(BrokerId(request.broker_id()));
  if (broker == nullptr) {
    return RefuseDrain(ErrorCode::kBrokerIdNotRegistered,
                       absl::StrCat("there is no broker ", request.broker_id()));
  }
  const std::string name = absl::StrCat("broker ", request.broker_id());
  if (!record::Drain_IsValid(request.drain()) || request.drain() == record::DRAIN_SHUTDOWN) {
    return RefuseDrain(ErrorCode::kInvalidRequest,
                       absl::StrCat(name, ": a drain of a kind that cannot be asked for"));
  }
  const bool stopping = broker->in_controlled_shutdown || broker->drain == record::DRAIN_SHUTDOWN;
  if (stopping && !broker->fenced) {
    if (request.drain() == record::DRAIN_STOP) return {};  // it does, and drains before it ends
    return RefuseDrain(ErrorCode::kInvalidRequest,
                       absl::StrCat(name,
                                    " is stopping: a drain begins and ends with a broker that is "
                                    "to run on"));
  }
  if (request.drain() == record::DRAIN_STOP && broker->fenced) {
    return RefuseDrain(ErrorCode::kIneligibleReplica,
                       absl::StrCat(name,
                                    " is fenced, so it leads nothing and is in no ISR: there is "
                                    "nothing to drain"));
  }
  Decision<message::AdminResponse> out;
  if (broker->drain == request.drain()) return out;
  record::BrokerFencing* fencing = out.batch.add_records()->mutable_broker_fencing();
  CopyFencing(*broker, *fencing);
  if (request.drain() != record::DRAIN_NONE || !IsPlanted(PlantedBug::kDrainOutlivesUndrain)) {
    fencing->set_drain(request.drain());
  }
  if (request.drain() != record::DRAIN_NONE && !broker->fenced) ShedDraining(broker->id, out.batch);
  return out;
}

}  // namespace quipu
