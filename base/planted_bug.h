// Bugs that the simulator must be able to find.
//
// In the product every flag is `false` at compile time and the guarded code vanishes. One extra
// build of the cores and hosts (QUIPU_PLANTED_BUGS) turns the flags into run-time switches, so
// that `quipu-sim-planted` can take one safety rule away and show that a checker notices.
// Each flag names the rule that it removes.
#pragma once

namespace quipu {

enum class PlantedBug {
  kAckBeforeSync,             // PR1/I28: acknowledge at append, not at durable.
  kMaximalIsrIgnored,         // PR2/I23: high watermark counts the current ISR only.
  kNoEpochCheckOnTruncation,  // PR5: follower truncates to its own high watermark (R01).
  kVoteNotSynced,             // PR7/I3: the vote is sent before it is durable.
  kDurableEndOverReported,    // PR1/R31: follower acknowledges its log end, synced or not.
  kDuplicateAfterFailover,    // PR6/I40: new leader forgets producer state.
  kSameEpochAfterRestart,     // PR4/R25: a restarted leader leads on in its old epoch.
  kStaleBrokerEpochJoinsIsr,  // PR3/R13: ISR change does not check broker epochs.
  kHighWatermarkBelowMinIsr,  // PR2/R16: high watermark moves with ISR below the minimum.
  kElrNotCleared,             // R17: ELR survives a full ISR.
  kRaftAckBeforeSync,         // Raft list 1: follower acknowledges entries before they are synced.
  kZombieCommitAccepted,      // I51/G01: commit by an older member epoch is accepted.
  kDamagedBatchServed,        // D5/I62: a stored batch is served whatever its CRC says.
  kRepairedFromOtherEpoch,    // I64: a repair takes the batch of whatever epoch a peer holds.
  kRepairWithoutCrc,          // I64: a repair takes a peer's bytes unchecked.
  kConfigChangeBeforeOwnTermCommit,  // PR7/C05: voters change before the term is established.
  kRemovedLeaderCountsItself,        // PR7/I8: a leader that is no voter counts itself.
  kSameIdNewDiskVotes,               // PR7/C06: a voter's id is enough, on whatever disk.
  kPartitionGivenBeforeRevoked,      // I52: a member gets what its former owner still holds.
};
inline constexpr int kPlantedBugCount = 19;

#ifdef QUIPU_PLANTED_BUGS
// The one bug switched on in this process, or nothing. Simulator only; single-threaded.
bool IsPlanted(PlantedBug bug);
void SetPlantedBug(PlantedBug bug);
void ClearPlantedBug();
#else
constexpr bool IsPlanted(PlantedBug /*bug*/) { return false; }
#endif

// The flag's name as on the command line ("ack-before-sync").
const char* PlantedBugName(PlantedBug bug);

}  // namespace quipu
