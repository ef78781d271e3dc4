// What goes into a RaftCore and what comes out of it. The store behind the durable part is
// storage/raft_store.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// ---- what a replica is told about itself ---------------------------------------------------

// A voter is its node id together with its data directory: the same id on a new disk is somebody
// else, who has not cast the old one's votes (PR7, C06, KIP-853).
struct RaftIdentity {
  ControllerId id = kNoController;
  DirectoryId directory_id;
  friend bool operator==(const RaftIdentity&, const RaftIdentity&) = default;
};

// A voter, or an observer that is to become one, and where it is reached.
struct RaftVoter {
  RaftIdentity identity;
  std::string endpoint = {};  // host:port; opaque to the core
  friend bool operator==(const RaftVoter&, const RaftVoter&) = default;
};

struct RaftOptions {
  ClusterId cluster_id;
  RaftIdentity self;
  // What the directory was formatted with: one, three or five, `self` among them. Empty for an
  // observer, which learns of the voters from their log. Later ones stand in the log.
  std::vector<RaftVoter> voters;
  Duration election_timeout = std::chrono::milliseconds(1000);
  Duration heartbeat_interval = std::chrono::milliseconds(100);
  uint64_t seed = 0;  // of the election timeouts

  // Leader: entries in one APPEND. An entry larger than the limit goes alone.
  size_t append_bytes_max = size_t{1} << 20;
  // Leader: unanswered APPENDs to one follower, and the bytes in them.
  size_t in_flight_appends_max = 64;
  size_t in_flight_bytes_max = size_t{4} << 20;
  // Leader: entries that are proposed and not committed; more are refused with kLimitReached.
  size_t proposal_bytes_max = size_t{16} << 20;
  // Leader: reads that wait for their round; more are refused with kLimitReached.
  size_t reads_max = 10000;
  // Leader: entries that an observer may lack of what is committed and still become a voter.
  uint64_t joiner_lag_entries_max = 100;
  size_t snapshot_chunk_bytes = size_t{256} << 10;
  // Follower: a longer snapshot is refused before anything is allocated for it (PR9).
  size_t snapshot_bytes_max = size_t{1} << 30;
};

// ---- what is kept in the store --------------------------------------------------------------

// Term and vote; one record, always written together (PR7, C01).
struct RaftHardState {
  Term term;
  ControllerId voted_for = kNoController;
  DirectoryId voted_directory;  // identity is id and directory
  friend bool operator==(const RaftHardState&, const RaftHardState&) = default;
};

// The state machine's bytes as of `last_index`, whose entry had `last_term`.
struct RaftSnapshot {
  LogIndex last_index;
  Term last_term;
  std::string data;
  // The voters as of `last_index` (VoterSet::Serialize). Empty: those of the format.
  std::string voters = {};
};

// One atomic durable change; applied in the order of the fields.
struct RaftWrite {
  std::optional<RaftHardState> hard_state;
  std::optional<RaftSnapshot> snapshot;   // replaces the former one; checked by its own CRC
  std::optional<LogIndex> truncate_from;  // entries with index >= it go
  std::optional<LogIndex> compact_to;     // entries with index <= it go (they are in the snapshot)
  std::vector<message::RaftEntry> append;

  [[nodiscard]] bool empty() const {
    return !hard_state && !snapshot && !truncate_from && !compact_to && append.empty();
  }
};

struct RecoveredRaft {
  RaftHardState hard_state;
  std::optional<RaftSnapshot> snapshot;
  std::vector<message::RaftEntry>
      entries;  // contiguous, first is snapshot.last_index + 1 or earlier
};

// ---- effects --------------------------------------------------------------------------------

// Names one RaftWrite of one life of a core. Counts up from 1 and is never used twice, so that a
// late completion cannot be mistaken for that of a newer write at the same index (C10).
using RaftWriteId = uint64_t;

// Names a read that waits; opaque to the core.
using RaftReadToken = uint64_t;

enum class RaftRole { kFollower, kPreCandidate, kCandidate, kLeader };

struct RaftPersist {
  RaftWriteId id = 0;
  RaftWrite write;
};

struct RaftReadAnswer {
  RaftReadToken token = 0;
  ErrorCode error = ErrorCode::kNone;  // kNotController: leadership ended first
  LogIndex index;                      // everything acknowledged before the read is at or below
};

struct RaftRoleChange {
  RaftRole role = RaftRole::kFollower;
  Term term;
  ControllerId leader = kNoController;
  // Leader whose own no-op is committed: everything of former terms is in `committed` by now.
  bool ready = false;
  friend bool operator==(const RaftRoleChange&, const RaftRoleChange&) = default;
};

// The host carries out one object as follows, before it gives the core its next input:
//   1. `persists`, in order, each answered by RaftCore::OnPersisted when durable (it may take as
//      long as it likes, and later inputs may come first);
//   2. `messages` may leave at once, whether or not the writes are durable: what must wait for a
//      write is kept inside the core and comes out of OnPersisted;
//   3. role changes with ready = false;
//   4. `restore`, then `committed`, then role changes with ready = true, then `reads`.
struct RaftEffects {
  std::vector<RaftPersist> persists;
  std::vector<message::RaftMessage> messages;
  std::vector<RaftRoleChange> role_changes;
  std::shared_ptr<const RaftSnapshot> restore;  // null: nothing to restore
  std::vector<message::RaftEntry> committed;    // contiguous, behind `restore` when there is one
  std::vector<RaftReadAnswer> reads;
};

}  // namespace quipu
