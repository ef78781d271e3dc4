// Power losses over a broker's storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/memory_log_store.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "tests/disk_faults/machine.h"

namespace quipu::disk_faults {

// What a round did, summed up over rounds.
struct RoundCounts {
  uint64_t operations = 0;       // acknowledged
  uint64_t opens = 0;            // that came to an end
  uint64_t losses_in_open = 0;   // power losses while the storage was opened
  uint64_t losses_in_write = 0;  // while an operation was under way
  uint64_t in_flight_kept = 0;   // operations without an answer that were found whole
  uint64_t in_flight_lost = 0;   // that left nothing
  faultfs::LossCounts disk;
  void Add(const RoundCounts& other);
};

// Several lives of one data directory: each opens it, checks it against what may be there, works,
// and ends in a power loss, in the death of the process alone, or in order. The power may go within
// any call that changes something on the disk: in format, open, recovery, work, flush, compaction,
// close. Checked (I60, I61): the directory opens, and what it holds is what was acknowledged, with
// or without the operation that was under way.
class LogRound {
 public:
  LogRound(uint64_t seed, Planted planted) : rng_(seed), machine_(planted) {}
  Violation Run();
  [[nodiscard]] const RoundCounts& counts() const { return counts_; }
  Machine& machine() { return machine_; }

 private:
  Violation Life(bool last);
  // False without a violation: the power went.
  bool Open(Violation& violation);
  Violation Verify();
  Violation Work();
  void Close();
  Violation Step();

  Rng rng_;
  Machine machine_;
  std::unique_ptr<RocksdbLogStore> store_;
  bool formatted_ = false;                                     // acknowledged
  std::vector<MemoryLogStore> may_hold_ = {MemoryLogStore()};  // first: what was acknowledged
  BrokerEpoch epoch_acknowledged_ = kNoBrokerEpoch;
  BrokerEpoch epoch_asked_ = kNoBrokerEpoch;
  RoundCounts counts_;
};

}  // namespace quipu::disk_faults
