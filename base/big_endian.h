// Numbers as big-endian bytes: the order of Kafka's batches and of every key in the store.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace quipu {

template <typename T>
void StoreBigEndian(T value, char* out) {
  using U = std::make_unsigned_t<T>;
  U bits = static_cast<U>(value);
  for (size_t i = sizeof(T); i-- > 0;) {
    out[i] = static_cast<char>(bits & 0xFFU);
    if constexpr (sizeof(T) > 1) bits = static_cast<U>(bits >> 8U);
  }
}

template <typename T>
T LoadBigEndian(const char* in) {
  using U = std::make_unsigned_t<T>;
  uint64_t bits = 0;
  for (size_t i = 0; i < sizeof(T); ++i) bits = (bits << 8U) | static_cast<uint8_t>(in[i]);
  return static_cast<T>(static_cast<U>(bits));
}

template <typename T>
void AppendBigEndian(std::string& out, T value) {
  char buffer[sizeof(T)];
  StoreBigEndian(value, buffer);
  out.append(buffer, sizeof(T));
}

}  // namespace quipu
