// Protobuf's wire format, as much of it as the fast path needs.
// Source: Protocol Buffers documentation, "Encoding".
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "base/error_code.h"

namespace quipu {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

// Field number and wire type in one, as on the wire. A known number with an unexpected type is
// thereby an unknown field, as in protobuf.
constexpr uint32_t VarintField(uint32_t number) { return number << 3U; }
constexpr uint32_t LengthField(uint32_t number) {
  return (number << 3U) | static_cast<uint32_t>(WireType::kLengthDelimited);
}

// Writes one message. Shared bytes are never copied. Zeros and empty texts are left out, as proto3
// does. One owner.
class WireWriter {
 public:
  void Unsigned(uint32_t number, uint64_t value);
  // int32 and int64; negative numbers take ten bytes.
  void Signed(uint32_t number, int64_t value);
  void Text(uint32_t number, absl::string_view value);
  // Also when empty: an element of a repeated field.
  void Message(uint32_t number, const WireWriter& message);
  // One bytes field made of all `parts`; left out when they are empty.
  void Shared(uint32_t number, const std::vector<Bytes>& parts);

  // Bytes of the message so far, shared ones included.
  [[nodiscard]] size_t size() const { return chain_.size(); }
  // The message as slices. The writer is empty afterwards.
  ByteChain Finish() { return chain_.Finish(); }

 private:
  void Varint(uint64_t value);

  ByteChainBuilder chain_;
};

// One field of a message.
struct WireField {
  uint32_t key = 0;     // VarintField(n) or LengthField(n); other types are skipped
  uint64_t number = 0;  // of a varint
  Bytes bytes;          // of a length-delimited field: a slice of the message

  // Protobuf cuts an over-long number to the field's width.
  [[nodiscard]] int32_t AsInt32() const { return static_cast<int32_t>(number); }
  [[nodiscard]] int64_t AsInt64() const { return static_cast<int64_t>(number); }
};

// Reads the fields of one message in order, skipping fixed-width fields and groups. Never reads
// outside of the message and never allocates by a length that it does not have. One owner.
class WireReader {
 public:
  explicit WireReader(Bytes message) : message_(std::move(message)) {}

  // False at the end and at the first byte that is not protobuf; see ok().
  bool Next(WireField& field);
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  bool ReadVarint(uint64_t& value);
  bool ReadKey(uint32_t& key);
  bool ReadLength(size_t& length);
  bool Skip(size_t length);
  bool SkipGroup(uint32_t number);
  // Skips the value of a field that is neither varint nor length-delimited.
  bool SkipValue(uint32_t key);

  Bytes message_;
  size_t position_ = 0;
  bool ok_ = true;
};

// Whether `text` may stand in a proto3 string.
bool IsUtf8(absl::string_view text);

}  // namespace quipu
