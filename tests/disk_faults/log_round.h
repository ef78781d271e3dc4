// Power losses over a broker's storage.
#pragma once

#include <memory>
#include <vector>

#include "storage/memory_log_store.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "tests/disk_faults/power_loss_round.h"

namespace quipu::disk_faults {

// Checked (I60, I61): the directory opens, and what it holds is what was acknowledged, with or
// without the operation that was under way.
class LogRound : public PowerLossRound {
 public:
  using PowerLossRound::PowerLossRound;

 private:
  absl::Status Open() override;
  void CloseStore() override { store_.reset(); }
  Violation Verify() override;
  Violation Step() override;
  [[nodiscard]] uint64_t CallsOfStep() const override { return 12; }

  std::unique_ptr<RocksdbLogStore> store_;
  std::vector<MemoryLogStore> may_hold_ = {MemoryLogStore()};  // first: what was acknowledged
  BrokerEpoch epoch_acknowledged_ = kNoBrokerEpoch;
  BrokerEpoch epoch_asked_ = kNoBrokerEpoch;
};

// The same, over a store that has a journal.
class JournalRound final : public LogRound {
 public:
  JournalRound(uint64_t seed, Planted planted) : LogRound(seed, planted) { machine_.UseJournal(); }
};

}  // namespace quipu::disk_faults
