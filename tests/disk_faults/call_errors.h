// A broker's storage while one call of the disk fails, or all syncs lie from one on.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/memory_log_store.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/wal_writer.h"
#include "tests/disk_faults/log_operations.h"
#include "tests/disk_faults/machine.h"

namespace quipu::disk_faults {

enum class CallError {
  kIoError,   // this call fails, later ones succeed (S06, R29)
  kNoSpace,   // the same, for want of space
  kLie,       // from this call on, syncs of the write-ahead log say OK and do nothing
  kPowerOff,  // no fault: counts the calls
};

struct CallErrorCounts {
  uint64_t trials = 0;
  uint64_t fatal = 0;            // the process was ended (D3)
  uint64_t refused_open = 0;     // the failing call was part of an opening
  uint64_t harmless = 0;         // nothing of the log hung on the failing call
  uint64_t unproven = 0;         // lies that were found out
  uint64_t last_group_lost = 0;  // lies that cost the one group that D4 cannot see
  uint64_t acknowledged = 0;
};

// One data directory: opened, given a fixed list of operations through WalWriter, closed, opened
// again, given more. One call fails on the way. Checked: from a failed write or sync of the log on
// nothing is acknowledged (I63) and the process is ended (D3); after the restart of the process,
// and then after a power loss, everything acknowledged is there (I60). After lies, everything
// acknowledged but for the last group is there or the directory is unproven (D4).
class CallErrorTrial {
 public:
  // `call`: the number of the failing call, counted from the first opening on.
  CallErrorTrial(uint64_t seed, CallError error, uint64_t call, bool journal)
      : rng_(seed), seed_(seed), error_(error), call_(call), machine_(Planted::kNone) {
    if (journal) machine_.UseJournal();
  }
  Violation Run(CallErrorCounts& counts);
  // Calls that the list of operations makes.
  [[nodiscard]] uint64_t calls_made() const { return calls_made_; }

 private:
  absl::Status Open();
  void Close();
  void SetHook();
  // True: acknowledged.
  bool Do(const LogOperation& operation);
  bool Submit(const LogOperation& operation);
  Violation Work(int operations);
  // Opens without faults and compares; sets what may be there from now on.
  Violation Verify(CallErrorCounts& counts, const char* when);
  Violation Judge(CallErrorCounts& counts);

  Rng rng_;
  const uint64_t seed_;
  const CallError error_;
  const uint64_t call_;
  Machine machine_;
  std::unique_ptr<RocksdbLogStore> store_;
  std::unique_ptr<WalWriter> writer_;
  uint64_t calls_before_ = 0;
  uint64_t calls_made_ = 0;
  MemoryLogStore acknowledged_;
  // Before the last operation acknowledged and within it: it may have been more than one group.
  std::vector<MemoryLogStore> last_states_;
  std::vector<MemoryLogStore> may_hold_ = {MemoryLogStore()};  // with what was under way
  uint64_t acknowledgements_ = 0;
  bool stopped_ = false;  // an operation or an opening failed: the process is over

  mutable std::mutex mutex_;
  bool fired_ = false;         // under mutex_
  bool fired_in_log_ = false;  // under mutex_; in a write or sync of the write-ahead log
  faultfs::Call fired_call_;   // under mutex_
  uint64_t acknowledgements_at_fire_ = 0;
};

}  // namespace quipu::disk_faults
