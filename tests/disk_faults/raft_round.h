// Power losses over a controller's storage.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/memory_raft_store.h"
#include "storage/rocksdb/rocksdb_raft_store.h"
#include "tests/disk_faults/log_round.h"
#include "tests/disk_faults/machine.h"

namespace quipu::disk_faults {

// LogRound for term and vote, entries and snapshots (PR7, I2, I3, I9).
class RaftRound {
 public:
  RaftRound(uint64_t seed, Planted planted) : rng_(seed), machine_(planted) {}
  Violation Run();
  [[nodiscard]] const RoundCounts& counts() const { return counts_; }
  Machine& machine() { return machine_; }

 private:
  Violation Life(bool last);
  // False without a violation: the power went.
  bool Open(Violation& violation);
  Violation Verify();
  Violation Work();

  Rng rng_;
  Machine machine_;
  std::unique_ptr<RocksdbRaftStore> store_;
  bool formatted_ = false;
  std::vector<MemoryRaftStore> may_hold_ = {MemoryRaftStore()};  // first: what was acknowledged
  RoundCounts counts_;
};

}  // namespace quipu::disk_faults
