// Reads choices out of a fuzzer's bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace quipu::fuzz {

// Once the bytes are used up every choice is zero, so that a run ends by itself. `bytes` must
// outlive the reader.
class Input {
 public:
  explicit Input(absl::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  // Little-endian.
  template <typename T>
  T Number() {
    T value = 0;
    const size_t size = std::min(rest_.size(), sizeof value);
    std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  // In [0, bound); `bound` from 1 to 256.
  uint32_t Below(uint32_t bound) { return Byte() % bound; }
  bool Chance() { return (Byte() & 1U) != 0; }
  // The next `size` bytes, or as many as there are.
  absl::string_view Take(size_t size) {
    const absl::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // A length in two bytes and as many bytes.
  absl::string_view Block() { return Take(Number<uint16_t>()); }
  absl::string_view Rest() { return Take(rest_.size()); }

 private:
  absl::string_view rest_;
};

}  // namespace quipu::fuzz
