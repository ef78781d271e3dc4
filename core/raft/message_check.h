// Whether a message may be looked at: the right cluster, the right ends, well formed.
#pragma once

#include "core/raft/quorum.h"
#include "core/raft/raft_types.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Who sent it, as it says. {kNoController, zero} when the directory id is malformed.
RaftIdentity SenderOf(const message::RaftMessage& message);

// APPEND, HEARTBEAT and INSTALL_SNAPSHOT: only the leader of the message's term sends them.
bool IsFromLeader(const message::RaftMessage& message);

// Raft checklist 10. False for a message of another cluster, to another node or directory, from
// this node itself, from nobody in `voters` (an unknown directory id is never counted, C06), of an
// unknown type, without a term, with entries that are not numbered and ordered as a log, or with a
// snapshot of nothing or of a later term.
bool IsAdmissible(const message::RaftMessage& message, const RaftOptions& options,
                  const VoterSet& voters);

}  // namespace quipu
