// The durable half of Raft: hard state, log entries and one snapshot.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
};

struct RecoveredRaft {
  RaftHardState hard_state;
  std::optional<RaftSnapshot> snapshot;
  std::vector<message::RaftEntry> entries;  // contiguous, first is snapshot.last_index + 1 or earlier
};

class RaftStore {
 public:
  virtual ~RaftStore() = default;
  // Durable on return; any error is final (D3).
  virtual absl::Status Write(const RaftWrite& write) = 0;
  // kCorruptMessage when an entry, the hard state or the snapshot is damaged (C15): the caller
  // refuses to start.
  virtual absl::StatusOr<RecoveredRaft> Load() const = 0;
};

}  // namespace quipu
