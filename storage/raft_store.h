// The durable half of Raft: hard state, log entries and one snapshot.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/raft/raft_types.h"

namespace quipu {

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
