// Power losses over a controller's storage.
#pragma once

#include <memory>
#include <vector>

#include "storage/memory_raft_store.h"
#include "storage/rocksdb/rocksdb_raft_store.h"
#include "tests/disk_faults/power_loss_round.h"

namespace quipu::disk_faults {

// LogRound for term and vote, entries and snapshots (PR7, I2, I3, I9).
class RaftRound final : public PowerLossRound {
 public:
  using PowerLossRound::PowerLossRound;

 private:
  absl::Status Open() override;
  void CloseStore() override { store_.reset(); }
  Violation Verify() override;
  Violation Step() override;
  [[nodiscard]] uint64_t CallsOfStep() const override { return 6; }

  std::unique_ptr<RocksdbRaftStore> store_;
  std::vector<MemoryRaftStore> may_hold_ = {MemoryRaftStore()};  // first: what was acknowledged
};

}  // namespace quipu::disk_faults
