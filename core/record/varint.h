// Zigzag variable-length integers, as the fields inside a record have them.
// Source: Kafka's documentation, "Message Format"; Protocol Buffers' encoding of sint32 and sint64.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace quipu {

// Most bytes of a zigzag number of 32 and of 64 bits.
inline constexpr size_t kVarintBytesMax32 = 5;
inline constexpr size_t kVarintBytesMax64 = 10;

constexpr uint64_t ZigzagEncode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1U) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t ZigzagDecode(uint64_t bits) {
  return static_cast<int64_t>(bits >> 1U) ^ -static_cast<int64_t>(bits & 1U);
}

// Bytes that AppendVarint writes for `value`.
constexpr size_t VarintSize(int64_t value) {
  size_t size = 1;
  for (uint64_t bits = ZigzagEncode(value); bits >= 0x80U; bits >>= 7U) ++size;
  return size;
}

inline void AppendVarint(std::string& out, int64_t value) {
  uint64_t bits = ZigzagEncode(value);
  for (; bits >= 0x80U; bits >>= 7U) out.push_back(static_cast<char>((bits & 0x7FU) | 0x80U));
  out.push_back(static_cast<char>(bits));
}

// A cursor over bytes that never reads past their end. After a failed read it stays failed and
// every further read fails, so a caller may check once at the end of a group of reads.
// One owner; the bytes must outlive it.
class RecordCursor {
 public:
  explicit RecordCursor(absl::string_view bytes) : rest_(bytes) {}

  // A zigzag number that fits 32 bits in at most five bytes. 0 on failure.
  int32_t ReadVarint32() {
    const uint64_t bits = ReadBits(kVarintBytesMax32);
    if (bits > UINT32_MAX) {
      Fail();
      return 0;
    }
    return static_cast<int32_t>(ZigzagDecode(bits));
  }
  int64_t ReadVarint64() { return ZigzagDecode(ReadBits(kVarintBytesMax64)); }
  uint8_t ReadByte() {
    const absl::string_view byte = ReadBytes(1);
    return byte.empty() ? uint8_t{0} : static_cast<uint8_t>(byte[0]);
  }
  // Exactly `length` bytes, or failure and an empty view.
  absl::string_view ReadBytes(int64_t length) {
    if (failed_ || length < 0 || static_cast<uint64_t>(length) > rest_.size()) {
      Fail();
      return {};
    }
    const absl::string_view bytes = rest_.substr(0, static_cast<size_t>(length));
    rest_.remove_prefix(static_cast<size_t>(length));
    return bytes;
  }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] absl::string_view rest() const { return rest_; }
  void Fail() {
    failed_ = true;
    rest_ = {};
  }

 private:
  // The unsigned bits of a number of at most `bytes_max` bytes, not yet zigzag-decoded.
  uint64_t ReadBits(size_t bytes_max) {
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes_max && i < rest_.size(); ++i) {
      const uint64_t byte = static_cast<uint8_t>(rest_[i]);
      if (i == kVarintBytesMax64 - 1 && byte > 1) break;  // more than 64 bits
      bits |= (byte & 0x7FU) << (7 * i);
      if (byte < 0x80U) {
        rest_.remove_prefix(i + 1);
        return bits;
      }
    }
    Fail();
    return 0;
  }

  absl::string_view rest_;
  bool failed_ = false;
};

}  // namespace quipu
