#include "core/raft/message_check.h"

#include <optional>

namespace quipu {
namespace {

using message::RaftEntry;
using message::RaftMessage;

// Entries continue (last_log_index, last_log_term), terms do not fall or pass the leader's.
bool HasWellFormedEntries(const RaftMessage& message) {
  uint64_t index = message.last_log_index();
  uint64_t term = message.last_log_term();
  if (message.entries_size() > 0 && message.type() != RaftMessage::APPEND) return false;
  for (const message::RaftEntry& entry : message.entries()) {
    if (entry.index() != index + 1 || entry.term() < term || entry.term() == 0) return false;
    if (entry.kind() == RaftEntry::VOTERS && !VoterSet::Parse(entry.data())) return false;
    index = entry.index();
    term = entry.term();
  }
  return message.type() != RaftMessage::APPEND || term <= message.term();
}

bool IsAnswer(const RaftMessage& message) {
  switch (message.type()) {
    case RaftMessage::PRE_VOTE_RESPONSE:
    case RaftMessage::VOTE_RESPONSE:
    case RaftMessage::APPEND_RESPONSE:
    case RaftMessage::HEARTBEAT_RESPONSE:
    case RaftMessage::INSTALL_SNAPSHOT_RESPONSE:
      return true;
    default:  // requests, and numbers that protobuf keeps for the enum
      return false;
  }
}

// A snapshot covers something, and nothing of a term later than its sender's: taken over, it would
// leave a log ahead of the term, with which no replica starts again (I2).
bool HasWellFormedSnapshot(const RaftMessage& message) {
  if (message.type() != RaftMessage::INSTALL_SNAPSHOT) return true;
  const message::SnapshotChunk& chunk = message.snapshot();
  if (!chunk.voters().empty() && !VoterSet::Parse(chunk.voters())) return false;
  return chunk.last_index() > 0 && chunk.last_term() > 0 && chunk.last_term() <= message.term();
}

}  // namespace

RaftIdentity SenderOf(const RaftMessage& message) {
  std::optional<Uuid> directory = Uuid::FromBytes(message.from_directory_id());
  if (!directory) return {};
  return {ControllerId(message.from()), *directory};
}

bool IsFromLeader(const RaftMessage& message) {
  return message.type() == RaftMessage::APPEND || message.type() == RaftMessage::HEARTBEAT ||
         message.type() == RaftMessage::INSTALL_SNAPSHOT;
}

bool IsAdmissible(const RaftMessage& message, const RaftOptions& options, const VoterSet& voters) {
  const std::optional<Uuid> cluster = Uuid::FromBytes(message.cluster_id());
  const std::optional<Uuid> to = Uuid::FromBytes(message.to_directory_id());
  if (cluster != options.cluster_id) return false;
  if (!to || !IsSameVoter({ControllerId(message.to()), *to}, options.self)) return false;
  const RaftIdentity sender = SenderOf(message);
  if (sender.id.value() < 0 || sender.directory_id.IsZero()) return false;
  if (IsSameVoter(sender, options.self)) return false;
  if (!RaftMessage::Type_IsValid(message.type()) || message.term() == 0) return false;
  if (IsAnswer(message) && !voters.Contains(sender) && !voters.IsJoining(sender)) return false;
  return HasWellFormedEntries(message) && HasWellFormedSnapshot(message);
}

}  // namespace quipu
