#include "broker/repair/repair_server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/planted_bug.h"
#include "broker/shard/assignment.h"

namespace quipu {

void RepairServer::Answer(const ReplicaStreamPtr& stream, const RepairRequest& request,
                          ErrorCode error, Bytes records) {
  const PartitionHost* host = context_.Find(request.uid);
  LeaderToReplica message;
  message.repairs.push_back(
      {.uid = request.uid,
       .leader_epoch = request.leader_epoch,
       .last_offset = request.last_offset,
       .error = error,
       .records = std::move(records),
       .log_start_offset = host == nullptr ? Offset{0} : host->core.log_start_offset()});
  stream->sender->Send(std::move(message));
}

ErrorCode RepairServer::Check(const ReplicaStream& stream, const RepairRequest& request) const {
  const PartitionImage* partition =
      context_.image == nullptr ? nullptr : context_.image->FindPartition(request.uid);
  if (partition == nullptr || !HasReplica(*partition, stream.follower)) {
    return ErrorCode::kReplicaNotAvailable;
  }
  if (IsPlanted(PlantedBug::kRepairedFromOtherEpoch)) return ErrorCode::kNone;
  if (request.leader_epoch < partition->leader_epoch) return ErrorCode::kFencedLeaderEpoch;
  if (request.leader_epoch > partition->leader_epoch) return ErrorCode::kUnknownLeaderEpoch;
  return ErrorCode::kNone;
}

void RepairServer::OnRequests(const ReplicaStreamPtr& stream,
                              const std::vector<RepairRequest>& requests) {
  for (const RepairRequest& request : requests) {
    ErrorCode error = Check(*stream, request);
    std::optional<Repairer::Replica> replica;
    if (error == ErrorCode::kNone) {
      replica = repairer_.FindReplica(request.uid);
      if (!replica) {
        error = ErrorCode::kReplicaNotAvailable;
      } else if (EpochAt(replica->epochs, request.last_offset) != request.batch_epoch &&
                 !IsPlanted(PlantedBug::kRepairedFromOtherEpoch)) {
        error = ErrorCode::kOffsetOutOfRange;
      } else if (reads_ >= kRepairReadsMax) {
        error = ErrorCode::kLimitReached;
      }
    }
    if (error != ErrorCode::kNone) {
      Answer(stream, request, error, {});
      continue;
    }
    Read(stream, request, replica->log_id);
  }
}

void RepairServer::Read(const ReplicaStreamPtr& stream, const RepairRequest& request,
                        LogId log_id) {
  ++reads_;
  context_.ReadCold(
      [log_id, last = request.last_offset](LogStore& store) {
        return store.Read(log_id, last, last + 1, 1);
      },
      [this, stream, request](const absl::StatusOr<std::vector<StoredBatch>>& batches) {
        --reads_;
        if (!batches.ok()) {
          const ErrorCode error = CodeOf(batches.status());
          if (error == ErrorCode::kCorruptMessage) {
            repairer_.OnDamage(request.uid, batches.status());
          }
          Answer(stream, request, error, {});
          return;
        }
        const bool found = !batches->empty() && batches->front().last_offset == request.last_offset;
        Answer(stream, request, found ? ErrorCode::kNone : ErrorCode::kOffsetOutOfRange,
               found ? batches->front().bytes : Bytes());
      });
}

}  // namespace quipu
