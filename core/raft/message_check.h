// Whether a message may be looked at: the right cluster, the right ends, well formed.
#pragma once

#include "core/raft/raft_types.h"
#include "core/raft/voters/voter_set.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Who sent it, as it says. {kNoController, zero} when the directory id is malformed.
RaftIdentity SenderOf(const message::RaftMessage& message);

// APPEND, HEARTBEAT and INSTALL_SNAPSHOT: only the leader of the message's term sends them.
bool IsFromLeader(const message::RaftMessage& message);

// Raft checklist 10. False for a message of another cluster, to another node or directory, from
// this node itself or without an identity, of an unknown type, without a term, with entries that
// are not numbered and ordered as a log or hold a configuration that is none, or with a snapshot of
// nothing or of a later term.
//
// Requests are taken from whoever sends them: its configuration may be newer than the one here, and
// whether the answer counts is decided there (Raft thesis 4.1, C19). Answers are taken only from
// those whom `voters` names: an unknown directory id is never counted (C06).
bool IsAdmissible(const message::RaftMessage& message, const RaftOptions& options,
                  const VoterSet& voters);

}  // namespace quipu
