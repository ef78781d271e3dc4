// What a person asks of the controller when nobody may lead a partition any more.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/partition_changes.h"

namespace quipu {
namespace {

Decision<message::AdminResponse> Refuse(ErrorCode error, std::string message) {
  Decision<message::AdminResponse> out;
  out.response.set_error_code(static_cast<int32_t>(error));
  out.response.set_error_message(std::move(message));
  return out;
}

std::string Names(const std::vector<BrokerId>& brokers) {
  return absl::StrJoin(brokers, ", ", [](std::string* out, BrokerId broker) {
    absl::StrAppend(out, broker.value());
  });
}

}  // namespace

Decision<message::AdminResponse> ControllerCore::RecoverPartition(
    const message::RecoverPartition& request) const {
  const std::string where =
      absl::StrCat("topic '", request.topic().substr(0, 64), "' partition ", request.partition());
  const TopicImage* topic = image_.FindTopicByName(request.topic());
  const PartitionImage* partition =
      topic == nullptr ? nullptr
                       : image_.FindPartition(topic->id, PartitionIndex(request.partition()));
  if (partition == nullptr) {
    return Refuse(ErrorCode::kUnknownTopicOrPartition, absl::StrCat(where, " does not exist"));
  }
  if (!partition->isr.empty()) {
    return Refuse(ErrorCode::kElectionNotNeeded,
                  absl::StrCat(where, " has leader ", partition->leader.value()));
  }
  if (!partition->elr.empty()) {
    return Refuse(ErrorCode::kElectionNotNeeded,
                  absl::StrCat(where, " can be led without loss by broker ", Names(partition->elr),
                               ": start it with its data directory. If that is gone for good, "
                               "start the broker with an empty one, and it stops to count"));
  }
  const BrokerId chosen(request.broker_id());
  const BrokerImage* broker = image_.FindBroker(chosen);
  if (broker == nullptr || !Contains(partition->replicas, chosen) ||
      !LeaderSelector(image_).IsActive(chosen)) {
    return Refuse(ErrorCode::kIneligibleReplica,
                  absl::StrCat("broker ", chosen.value(), " is not a live replica of ", where));
  }
  if (broker->epoch != BrokerEpoch(request.broker_epoch()) ||
      partition->leader_epoch != LeaderEpoch(request.leader_epoch()) ||
      partition->partition_epoch != PartitionEpoch(request.partition_epoch())) {
    return Refuse(ErrorCode::kInvalidUpdateVersion,
                  absl::StrCat(where, ", or broker ", chosen.value(),
                               ", has changed since the choice was made: look again"));
  }
  Decision<message::AdminResponse> out;
  *out.batch.add_records()->mutable_partition_change() = RecoverUnclean(*partition, chosen);
  out.response.mutable_recover_partition()->set_leader_epoch((partition->leader_epoch + 1).value());
  return out;
}

}  // namespace quipu
