// The kinds of faults, each with the name by which it is drawn, counted and switched off.
//
// Faults of the nemesis have a weight: how often it is picked. Faults of the environment have a
// chance in 10,000 for each message, sync or crash. A kind belongs to one list below and to one
// line of docs/testing.md; a file nemesis_*.cc holds what the nemesis does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace quipu::sim {

// Picked by the nemesis. To add one: a line here, a name in kFaultNames, a line in Nemesis::Strike.
enum class Fault : size_t {
  kCrashBroker,
  kCrashController,
  kCrashProducer,
  kCrashConsumer,
  kCrashAllBrokers,
  kCrashInSync,  // of any machine, between a write and the news that it is durable
  kRestartStorm,
  kPause,
  kPauseConsumer,
  kCutPair,
  kCutOneWay,
  kSplit,
  kPartialPartition,
  kIsolate,
  kIsolateLeader,
  kContestElection,
  kStrandLeader,
  kBounceJoiner,
  kClockJump,
  kClockSkew,
  kSlowNode,
  kSlowConsumer,
  kWriteError,
  kSyncError,
  kDiskFull,
  kStall,  // of a disk that does not answer for a while (D6)
  // Of disks that are lost (faults/lost_disks.cc).
  kEmptyDisk,
  kRolledBackDisk,
  kLostTail,
  kLostDirectoryEntry,  // of a controller's new directory, too
  kBitFlip,             // of a stored batch
  kMisdirectedWrite,    // over a stored batch
  // Of controllers, which are replaced as voters then (nemesis_voters.h).
  kReplaceVoter,
  kRottenRaftEntry,
  kRottenRaftSnapshot,
  // Of operators (faults/operators.cc).
  kDrain,          // of a broker: for maintenance, to stop it, or as it stops by itself
  kDeleteRecords,  // what is committed, below an offset drawn now
  // Of static members of the group (G03).
  kDuplicateConsumer,
  // Of operators again.
  kAlterConfig,  // compression.type of the topic
  // Of the classic group (classic/sim_classic_group.h).
  kCrashClassic,
  kPauseClassic,
  kSlowClassic,
  kLeaveClassic,
  kRejoinClassic,     // a member wants the group to assign anew
  kDuplicateClassic,  // of static members (G03)
  kDeleteGroup,
  kMoveGroup,  // to assignment by the server, and back
};
inline constexpr const char* kFaultNames[] = {
    "crash_broker",
    "crash_controller",
    "crash_producer",
    "crash_consumer",
    "crash_all",
    "crash_in_sync",
    "restart_storm",
    "pause",
    "pause_consumer",
    "cut_pair",
    "cut_one_way",
    "split",
    "partial",
    "isolate",
    "isolate_leader",
    "contest_election",
    "strand_leader",
    "bounce_joiner",
    "clock_jump",
    "clock_skew",
    "slow_node",
    "slow_consumer",
    "write_error",
    "sync_error",
    "disk_full",
    "stall",
    "empty_disk",
    "rolled_back_disk",
    "lost_tail",
    "lost_directory_entry",
    "bit_flip",
    "misdirected_write",
    "replace_voter",
    "rotten_raft_entry",
    "rotten_raft_snapshot",
    "drain",
    "delete_records",
    "duplicate_consumer",
    "alter_config",
    "crash_classic",
    "pause_classic",
    "slow_classic",
    "leave_classic",
    "rejoin_classic",
    "duplicate_classic",
    "delete_group",
    "move_group",
};
inline constexpr size_t kFaultCount = std::size(kFaultNames);
static_assert(static_cast<size_t>(Fault::kMoveGroup) + 1 == kFaultCount);

using FaultNumbers = std::array<int64_t, kFaultCount>;

constexpr const char* FaultName(Fault fault) { return kFaultNames[static_cast<size_t>(fault)]; }

}  // namespace quipu::sim
