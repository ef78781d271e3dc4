// Byte positions of the header fields (see record_batch.h) and the bits of `attributes`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "base/crc32c.h"

namespace quipu::batch_layout {

inline constexpr size_t kBaseOffset = 0;
inline constexpr size_t kBatchLength = 8;
inline constexpr size_t kLeaderEpoch = 12;
inline constexpr size_t kMagic = 16;
inline constexpr size_t kCrc = 17;
inline constexpr size_t kAttributes = 21;
inline constexpr size_t kLastOffsetDelta = 23;
inline constexpr size_t kBaseTimestamp = 27;
inline constexpr size_t kMaxTimestamp = 35;
inline constexpr size_t kProducerId = 43;
inline constexpr size_t kProducerEpoch = 51;
inline constexpr size_t kBaseSequence = 53;
inline constexpr size_t kRecordCount = 57;

inline constexpr int8_t kMagicValue = 2;

inline constexpr unsigned kCodecMask = 0x07;
inline constexpr unsigned kLogAppendTimeBit = 0x08;
inline constexpr unsigned kTransactionalBit = 0x10;
inline constexpr unsigned kControlBit = 0x20;
inline constexpr unsigned kDeleteHorizonBit = 0x40;

// Least bytes of a record: its length, attributes, two deltas, two lengths and the header count.
inline constexpr size_t kRecordBytesMin = 7;
// Least bytes of a record header: two lengths.
inline constexpr size_t kRecordHeaderBytesMin = 2;

// The CRC that the bytes of a whole batch should carry.
inline uint32_t ComputeCrc(absl::string_view batch) { return Crc32c(batch.substr(kAttributes)); }

// Writes the right CRC into the bytes of a whole batch.
inline void StoreCrc(std::string& batch) {
  StoreBigEndian<uint32_t>(ComputeCrc(batch), batch.data() + kCrc);
}

}  // namespace quipu::batch_layout
