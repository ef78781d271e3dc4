// The disk of a controller whose bits may flip while nobody looks.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/rng.h"
#include "storage/memory_raft_store.h"

namespace quipu::sim {

// A RaftStore in memory. What rots lies there in the encoding of the real store, CRC and all, and
// Load reads it as that does: kCorruptMessage when a bit of an entry or of the snapshot has changed
// (C14, C15). What is cut off, compacted or replaced takes its rot along. One thread.
class RottingRaftStore final : public RaftStore {
 public:
  absl::Status Write(const RaftWrite& write) override;
  absl::StatusOr<RecoveredRaft> Load() const override;

  // Flips a bit of an entry drawn now, or of the snapshot. False: there is none.
  bool RotEntry(Rng& rng);
  bool RotSnapshot(Rng& rng);

 private:
  MemoryRaftStore store_;
  std::map<LogIndex, std::string> rotten_entries_;
  std::optional<std::string> rotten_snapshot_;
};

}  // namespace quipu::sim
