// What comes out of a RaftCore: everything that its host has to carry out.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/raft/raft_types.h"
#include "proto/message/raft.pb.h"

namespace quipu {

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
