// CRC32C (Castagnoli): the checksum of record batches, snapshots and the watermark file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace quipu {

// The CRC32C of everything seen so far followed by `data`, where `crc` is that of everything so far
// (0 for nothing). Uses SSE4.2 where the machine has it. Thread-safe.
// Source: RFC 3720, appendix B.4.
uint32_t Crc32cExtend(uint32_t crc, absl::string_view data);

inline uint32_t Crc32c(absl::string_view data) { return Crc32cExtend(0, data); }

// The CRC32C of two pieces one after another, from that of each and the length of the second, which
// are not read again. Thread-safe.
uint32_t Crc32cConcat(uint32_t first, uint32_t second, size_t second_bytes);

// The two ways to compute it, apart so that a test can hold one against the other.
namespace crc32c_internal {

uint32_t ExtendByTable(uint32_t crc, absl::string_view data);
// True when ExtendBySse42 may be called on this machine.
bool HasSse42();
// Only when HasSse42().
uint32_t ExtendBySse42(uint32_t crc, absl::string_view data);

}  // namespace crc32c_internal
}  // namespace quipu
