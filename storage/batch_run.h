// A run: batches of one log, one behind another in the journal, under one key of the family `log`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "storage/key_encoding.h"

namespace quipu {

// So that whoever wants one batch does not read too many places, and moves not too many bytes.
inline constexpr size_t kRunBatchesMax = 64;
inline constexpr size_t kRunBytesMax = size_t{64} << 10;

// First byte of a value that is not of one batch alone.
inline constexpr char kRunVersion = 2;

struct RunBatch {
  Offset last_offset;
  BatchPointer pointer;
};
using BatchRun = std::vector<RunBatch>;

// Value of the key with the last offset of all. `run`: one batch or more, offsets ascending, each
// batch begins where the one before ends. One batch alone: EncodeBatchPointer. Else
//   version u8 . segment u64 . position u32 . batches, then for each batch: bytes, largest time,
//   how many offsets it ends behind the one before, checksum u32; a CRC32C over all that
// where numbers without a width are varints, and times after the first are differences.
std::string EncodeBatchRun(absl::Span<const RunBatch> run);
// Whether the value is that of one batch alone.
inline bool IsBatchAlone(absl::string_view value) {
  return value.size() == kBatchPointerBytes && value.front() != kRunVersion;
}
// One batch or more; nullopt: damaged.
std::optional<BatchRun> DecodeBatchRun(Offset last_offset, absl::string_view value);

}  // namespace quipu
