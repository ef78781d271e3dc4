// Answers peers that ask for a sound copy of a batch. Shard thread only.
#pragma once

#include <vector>

#include "broker/repair/repairer.h"
#include "broker/replica/replica_sender.h"
#include "broker/shard/shard_context.h"

namespace quipu {

class RepairServer {
 public:
  // Cold reads for peers that may be under way; more are answered with kLimitReached.
  static constexpr size_t kRepairReadsMax = 16;

  // `context` and `repairer` must outlive it.
  RepairServer(ShardContext& context, Repairer& repairer)
      : context_(context), repairer_(repairer) {}

  // Each is answered once on `stream`:
  //   kNone               the batch
  //   kCorruptMessage     the copy here is damaged too (and will be repaired)
  //   kOffsetOutOfRange   no batch of that epoch ends there
  //   kFencedLeaderEpoch, kUnknownLeaderEpoch, kReplicaNotAvailable, kLimitReached, kStorageError
  //                       nothing can be said for now
  void OnRequests(const ReplicaStreamPtr& stream, const std::vector<RepairRequest>& requests);
  // Under way now; at most kRepairReadsMax.
  [[nodiscard]] size_t reads() const { return reads_; }

 private:
  [[nodiscard]] ErrorCode Check(const ReplicaStream& stream, const RepairRequest& request) const;
  void Read(const ReplicaStreamPtr& stream, const RepairRequest& request, LogId log_id);
  void Answer(const ReplicaStreamPtr& stream, const RepairRequest& request, ErrorCode error,
              Bytes records);

  ShardContext& context_;
  Repairer& repairer_;
  size_t reads_ = 0;
};

}  // namespace quipu
