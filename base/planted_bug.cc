#include "base/planted_bug.h"

#ifdef QUIPU_PLANTED_BUGS
#include <optional>
#endif

namespace quipu {

#ifdef QUIPU_PLANTED_BUGS
namespace {
std::optional<PlantedBug> g_planted;
}  // namespace

bool IsPlanted(PlantedBug bug) { return g_planted == bug; }
void SetPlantedBug(PlantedBug bug) { g_planted = bug; }
void ClearPlantedBug() { g_planted.reset(); }
#endif

const char* PlantedBugName(PlantedBug bug) {
  switch (bug) {
    case PlantedBug::kAckBeforeSync:
      return "ack-before-sync";
    case PlantedBug::kMaximalIsrIgnored:
      return "maximal-isr-ignored";
    case PlantedBug::kNoEpochCheckOnTruncation:
      return "no-epoch-check-on-truncation";
    case PlantedBug::kVoteNotSynced:
      return "vote-not-synced";
    case PlantedBug::kDurableEndOverReported:
      return "durable-end-over-reported";
    case PlantedBug::kDuplicateAfterFailover:
      return "duplicate-after-failover";
    case PlantedBug::kSameEpochAfterRestart:
      return "same-epoch-after-restart";
    case PlantedBug::kStaleBrokerEpochJoinsIsr:
      return "stale-broker-epoch-joins-isr";
    case PlantedBug::kHighWatermarkBelowMinIsr:
      return "high-watermark-below-min-isr";
    case PlantedBug::kElrNotCleared:
      return "elr-not-cleared";
    case PlantedBug::kRaftAckBeforeSync:
      return "raft-ack-before-sync";
    case PlantedBug::kZombieCommitAccepted:
      return "zombie-commit-accepted";
    case PlantedBug::kConfigChangeBeforeOwnTermCommit:
      return "config-change-before-own-term-commit";
    case PlantedBug::kRemovedLeaderCountsItself:
      return "removed-leader-counts-itself";
    case PlantedBug::kSameIdNewDiskVotes:
      return "same-id-new-disk-votes";
    case PlantedBug::kPartitionGivenBeforeRevoked:
      return "partition-given-before-revoked";
    case PlantedBug::kDamagedBatchServed:
      return "damaged-batch-served";
    case PlantedBug::kRepairedFromOtherEpoch:
      return "repaired-from-other-epoch";
    case PlantedBug::kRepairWithoutCrc:
      return "repair-without-crc";
  }
  return "unknown";
}

}  // namespace quipu
