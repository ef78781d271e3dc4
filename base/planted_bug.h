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
  kPartitionGivenBeforeRevoked,  // I52: a member gets what its former owner still holds.
  // Replication.
  kEpochNotNotedOnElection,    // R04: a leader that wrote nothing leaves no trace of its epoch.
  kOldEpochUpdateAccepted,     // PR3/R05: a follower's update of another epoch is taken.
  kUncomparedFollowerCounted,  // R06: a follower counts before its log was compared.
  kTruncationNotFenced,        // R07: a follower cuts by what a leader of another epoch says.
  kJoinWithoutEpochStart,      // R08: the stale high watermark is enough to join the ISR.
  kStaleHighWatermarkKnown,    // R09: a new leader's high watermark counts before it is known.
  kShrinkBeforeCommitted,      // R11: a leader drops a member before the controller does.
  kStaleIsrChangeAccepted,     // PR3/R12: an ISR change of an older epoch is taken.
  kElrNotKept,                 // R15: who leaves a small ISR is not eligible any more.
  kUncleanElection,            // R18: without anybody eligible, anybody is elected.
  kUnknownEpochTakenAsMatch,   // R03: an epoch that the leader does not know is no divergence.
  kDivergenceNotLookedFor,     // R02: a follower within the leader's log is taken as it is.
  kCommitWithoutEpoch,         // R21: committed offsets do not carry the leader epoch.
  kStaleMetadataReader,        // R23: a reader goes back to an older leader, which serves it.
  kLeaderCountsUnsyncedEnd,    // PR1/R31: the leader counts its own log end, synced or not.
  // Producers.
  kDuplicateNotRecognised,      // PR6/P01: a retry is appended again.
  kUnknownResentUnderNewEpoch,  // P04: what may have been stored goes out under a new epoch.
  kFirstSequenceNotZero,        // PR6/P08: without state any sequence is accepted.
  kFailureTakesNobodyAlong,     // P09: batches behind one that failed are written.
  kSequenceGapAccepted,         // P10: a sequence ahead of the expected one is accepted.
  kUnknownReportedAsFailed,     // PR6/P12: an unknown outcome is told as a failure.
  kRecentProducerForgotten,     // PR6/P07: a producer expires however recent its batches are.
  // Groups.
  kGroupAnswerBeforeCommit,  // G02: a commit is acknowledged before its record is committed.
  kCommitAheadOfPoll,        // What is fetched and not yet polled is committed.
  // Raft.
  kVoteNotRecorded,             // C01: the vote is not in the record of its term.
  kLeaderCountsUnsyncedAppend,  // C03: the leader's own append counts before it is synced.
  kLeaderResumesAfterRestart,   // C04: who has voted for itself leads again after a restart.
  kOldTermLeaderNotTold,        // C09: a leader of an older term hears nothing of the newer one.
  kLateAppendCounted,           // C10: the late completion of an overwritten append counts.
  kOlderSnapshotInstalled,      // C13: a snapshot below the commit index is installed.
  kAppendCutsKnownEntries,      // C13: an APPEND cuts what it repeats.
  kHeartbeatCommitsUnmatched,   // C17: a heartbeat commits what was never compared.
  kDuplicateVoteCounted,        // C18: a vote that comes twice counts twice.
  kOlderTermCommitted,          // Raft 5.4.2: entries of former terms are committed by counting.
  // Directories.
  kUncleanRegistersClean,     // D4/PR4: who says that its log is unproven stays eligible.
  kUncleanMarkLostEarly,      // D4: the mark is cleared before the controllers have committed it.
  kUncleanKeptInElr,          // D4/I21: an unclean broker leaves the ISR, and stays in the ELR.
  kRolledBackRegistersClean,  // D4/S15: an older broker epoch than the last one heard is taken.
  kEmptyDiskRegistersClean,   // D4/R13/S14: another directory id is taken for the same log.
  kDamagedBatchServed,        // D5/I62: a stored batch is served whatever its CRC says.
  kRepairedFromOtherEpoch,    // I64: a repair takes the batch of whatever epoch a peer holds.
  kRepairWithoutCrc,          // I64: a repair takes a peer's bytes unchecked.
  // Voters.
  kConfigChangeBeforeOwnTermCommit,  // PR7/C05: voters change before the term is established.
  kRemovedLeaderCountsItself,        // PR7/I8: a leader that is no voter counts itself.
  kSameIdNewDiskVotes,               // PR7/C06: a voter's id is enough, on whatever disk.
  kStaticMemberNotFenced,            // I51/G03: a replaced static member still commits.
  // Drains.
  kDrainingBrokerLeads,  // I34: a broker that is being drained is as good a leader as any.
  kDrainBelowMinimum,    // PR2/I34: a drain takes an ISR below its minimum.
  kToldToStopInIsr,      // I34: a drain is said to be done while the broker is in an ISR, or leads.
  kDrainOutlivesUndrain,  // I34: the end of a drain is answered, and the drain goes on.
  // Classic groups.
  kClassicCommitNotFenced,    // I55/G01: a commit of whatever generation is taken.
  kClassicGenerationReused,   // I56: a new coordinator counts generations from the beginning.
  kClassicSilentMemberStays,  // A member that falls silent stays a member.
  kClassicSyncBeforeLeader,   // I57: a SyncGroup is answered before the leader has assigned.
};
inline constexpr int kPlantedBugCount = static_cast<int>(PlantedBug::kClassicSyncBeforeLeader) + 1;

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
