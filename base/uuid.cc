#include "base/uuid.h"

#include "base/rng.h"

namespace quipu {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = (value << 8U) | static_cast<uint8_t>(c);
  return value;
}

}  // namespace

Uuid Uuid::Random(Rng& rng) {
  Uuid id(rng.Next(), rng.Next());
  while (id.IsZero()) id = Uuid(rng.Next(), rng.Next());
  return id;
}

std::optional<Uuid> Uuid::FromText(absl::string_view text) {
  uint64_t halves[2] = {0, 0};
  size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int value = DigitValue(c);
    if (value < 0 || digits == 2 * kBytes) return std::nullopt;
    uint64_t& half = halves[digits / kBytes];
    half = (half << 4U) | static_cast<uint64_t>(value);
    ++digits;
  }
  if (digits != 2 * kBytes) return std::nullopt;
  return Uuid(halves[0], halves[1]);
}

std::optional<Uuid> Uuid::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kBytes) return std::nullopt;
  return Uuid(ReadBigEndian(bytes.substr(0, 8)), ReadBigEndian(bytes.substr(8)));
}

std::string Uuid::ToText() const {
  std::string text;
  text.reserve(2 * kBytes);
  for (const uint64_t half : {high_, low_}) {
    for (int shift = 60; shift >= 0; shift -= 4) text.push_back(kDigits[(half >> shift) & 0xFU]);
  }
  return text;
}

std::string Uuid::ToBytes() const {
  std::string bytes;
  bytes.reserve(kBytes);
  for (const uint64_t half : {high_, low_}) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>((half >> shift) & 0xFFU));
    }
  }
  return bytes;
}

}  // namespace quipu
