// What rounds of power losses over the two stores have in common.
#pragma once

#include <cstdint>
#include <string>

#include "base/rng.h"
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
// close. A store says how it is opened, checked and used.
class PowerLossRound {
 public:
  PowerLossRound(uint64_t seed, Planted planted) : rng_(seed), machine_(planted) {}
  virtual ~PowerLossRound() = default;
  Violation Run();
  [[nodiscard]] const RoundCounts& counts() const { return counts_; }
  Machine& machine() { return machine_; }

 protected:
  // Opens the directory and the store.
  virtual absl::Status Open() = 0;
  virtual void CloseStore() = 0;
  // The store holds what was acknowledged, with or without what was under way.
  virtual Violation Verify() = 0;
  // One operation, with the power on at its beginning; only one that ends with the power on counts.
  virtual Violation Step() = 0;
  // The power goes within so many calls of some operation.
  [[nodiscard]] virtual uint64_t CallsOfStep() const = 0;

  Rng rng_;
  Machine machine_;
  RoundCounts counts_;
  bool formatted_ = false;  // acknowledged

 private:
  Violation Life(bool last);
  Violation Work();
};

}  // namespace quipu::disk_faults
