// The durable half of Raft as plain values: what a core asks to be written, and what it is given
// back after a restart. The store behind them is storage/raft_store.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "proto/message/raft.pb.h"

namespace quipu {

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

}  // namespace quipu
