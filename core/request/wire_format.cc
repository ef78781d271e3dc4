#include "core/request/wire_format.h"

namespace quipu {
namespace {

constexpr size_t kVarintBytesMax = 10;
// Groups inside groups; deeper ones are refused, as protobuf does.
constexpr size_t kGroupDepthMax = 100;
constexpr uint32_t kTypeBits = 3;
constexpr uint32_t kTypeMask = 7;

}  // namespace

void WireWriter::Varint(uint64_t value) {
  std::string& text = chain_.text();
  for (; value >= 0x80U; value >>= 7U) {
    text.push_back(static_cast<char>((value & 0x7FU) | 0x80U));
  }
  text.push_back(static_cast<char>(value));
}

void WireWriter::Unsigned(uint32_t number, uint64_t value) {
  if (value == 0) return;
  Varint(VarintField(number));
  Varint(value);
}

void WireWriter::Signed(uint32_t number, int64_t value) {
  Unsigned(number, static_cast<uint64_t>(value));
}

void WireWriter::Text(uint32_t number, absl::string_view value) {
  if (value.empty()) return;
  Varint(LengthField(number));
  Varint(value.size());
  chain_.text().append(value.data(), value.size());
}

void WireWriter::Message(uint32_t number, const WireWriter& message) {
  Varint(LengthField(number));
  Varint(message.size());
  chain_.Append(message.chain_);
}

void WireWriter::Shared(uint32_t number, const std::vector<Bytes>& parts) {
  const size_t total = SizeOf(parts);
  if (total == 0) return;
  Varint(LengthField(number));
  Varint(total);
  for (const Bytes& part : parts) chain_.Share(part);
}

bool WireReader::Next(WireField& field) {
  while (ok_ && position_ < message_.size()) {
    if (!ReadKey(field.key)) return false;
    const uint32_t type = field.key & kTypeMask;
    if (type == static_cast<uint32_t>(WireType::kVarint)) return ReadVarint(field.number);
    if (type == static_cast<uint32_t>(WireType::kLengthDelimited)) {
      size_t length = 0;
      if (!ReadLength(length)) return false;
      field.bytes = message_.Slice(position_, length);
      position_ += length;
      return true;
    }
    if (!SkipValue(field.key)) return false;
  }
  return false;
}

bool WireReader::ReadVarint(uint64_t& value) {
  const absl::string_view rest = message_.view().substr(position_);
  value = 0;
  for (size_t i = 0; i < kVarintBytesMax && i < rest.size(); ++i) {
    const uint64_t byte = static_cast<uint8_t>(rest[i]);
    value |= (byte & 0x7FU) << (7 * i);
    if (byte < 0x80U) {
      position_ += i + 1;
      return true;
    }
  }
  return ok_ = false;
}

bool WireReader::ReadKey(uint32_t& key) {
  const size_t start = position_;
  uint64_t number = 0;
  if (!ReadVarint(number)) return false;
  if (number > UINT32_MAX || (number >> kTypeBits) == 0 || position_ - start > 5) {
    return ok_ = false;
  }
  key = static_cast<uint32_t>(number);
  return true;
}

bool WireReader::ReadLength(size_t& length) {
  uint64_t number = 0;
  if (!ReadVarint(number)) return false;
  if (number > message_.size() - position_) return ok_ = false;
  length = static_cast<size_t>(number);
  return true;
}

bool WireReader::Skip(size_t length) {
  if (length > message_.size() - position_) return ok_ = false;
  position_ += length;
  return true;
}

bool WireReader::SkipValue(uint32_t key) {
  switch (key & kTypeMask) {
    case static_cast<uint32_t>(WireType::kFixed64):
      return Skip(8);
    case static_cast<uint32_t>(WireType::kFixed32):
      return Skip(4);
    case static_cast<uint32_t>(WireType::kStartGroup):
      return SkipGroup(key >> kTypeBits);
    default:
      return ok_ = false;  // the end of a group that never began, or types 6 and 7
  }
}

bool WireReader::SkipGroup(uint32_t number) {
  std::vector<uint32_t> open = {number};
  while (!open.empty()) {
    uint32_t key = 0;
    if (position_ >= message_.size()) return ok_ = false;
    if (!ReadKey(key)) return false;
    const uint32_t type = key & kTypeMask;
    if (type == static_cast<uint32_t>(WireType::kVarint)) {
      uint64_t value = 0;
      if (!ReadVarint(value)) return false;
    } else if (type == static_cast<uint32_t>(WireType::kLengthDelimited)) {
      size_t length = 0;
      if (!ReadLength(length) || !Skip(length)) return false;
    } else if (type == static_cast<uint32_t>(WireType::kStartGroup)) {
      if (open.size() >= kGroupDepthMax) return ok_ = false;
      open.push_back(key >> kTypeBits);
    } else if (type == static_cast<uint32_t>(WireType::kEndGroup)) {
      if (open.back() != key >> kTypeBits) return ok_ = false;
      open.pop_back();
    } else if (!SkipValue(key)) {
      return false;
    }
  }
  return true;
}

bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80U) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
    if (lead < 0xC2U || lead > 0xF4U || text.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<uint8_t>(text[i + k]) & 0xC0U) != 0x80U) return false;
    }
    // Over-long forms, surrogates, and numbers past U+10FFFF show in the second byte.
    const auto second = static_cast<uint8_t>(text[i + 1]);
    if (lead == 0xE0U && second < 0xA0U) return false;
    if (lead == 0xEDU && second > 0x9FU) return false;
    if (lead == 0xF0U && second < 0x90U) return false;
    if (lead == 0xF4U && second > 0x8FU) return false;
    i += length;
  }
  return true;
}

}  // namespace quipu
