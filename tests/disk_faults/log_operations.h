// Random work for a LogStore, always such as a broker could give it.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "storage/log_store.h"
#include "storage/memory_log_store.h"

namespace quipu::disk_faults {

// A chance of `percent` in a hundred.
inline bool Percent(Rng& rng, uint64_t percent) { return rng.Chance(percent, 100); }

// One call of the store.
struct LogOperation {
  enum class Kind { kWrite, kCreate, kDrop, kPutValue, kFlush };
  Kind kind = Kind::kWrite;
  std::vector<LogWrite> group;     // kWrite
  std::vector<PartitionUid> uids;  // kCreate; kDrop: one
  std::string value;               // kPutValue
};

// The next call for a store that holds `state`. Appends continue each log and each producer;
// truncations stay above the high watermark; log starts rise up to it.
LogOperation NextOperation(const MemoryLogStore& state, Rng& rng);

// Carries it out, but for kFlush.
absl::Status Apply(LogStore& store, const LogOperation& operation);
// What the store may hold when the call did not return: each mutation is atomic, in order (see
// LogStore::Write). `state` itself comes first, the whole operation last.
std::vector<MemoryLogStore> StatesWithin(const MemoryLogStore& state,
                                         const LogOperation& operation);

// Empty when both hold the same; else what differs.
std::string Difference(const LogStore& found, const MemoryLogStore& expected);

}  // namespace quipu::disk_faults
