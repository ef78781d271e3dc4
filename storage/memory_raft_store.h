// The Raft log's reference store.
#pragma once

#include <map>
#include <optional>

#include "storage/raft_store.h"

namespace quipu {

// A RaftStore in memory; a copy is a snapshot of the disk. Whoever simulates a disk decides when
// Write is called. Deterministic. One thread at a time.
class MemoryRaftStore final : public RaftStore {
 public:
  absl::Status Write(const RaftWrite& write) override;
  absl::StatusOr<RecoveredRaft> Load() const override;

 private:
  RaftHardState hard_state_;
  std::optional<RaftSnapshot> snapshot_;
  std::map<LogIndex, message::RaftEntry> entries_;
};

}  // namespace quipu
