#include "base/crc32c.h"

#include <array>
#include <cstring>

#include "base/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace quipu {
namespace {

constexpr uint32_t kPolynomialReflected = 0x82F63B78U;
constexpr size_t kSlices = 8;
using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

// tables[0] is the classic byte table; tables[k][b] is the CRC of byte b followed by k zero bytes,
// so that eight bytes are folded with eight look-ups ("slicing by 8").
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1U) != 0 ? (crc >> 1U) ^ kPolynomialReflected : crc >> 1U;
    }
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t previous = tables[slice - 1][byte];
      tables[slice][byte] = (previous >> 8U) ^ tables[0][previous & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

using ExtendFunction = uint32_t (*)(uint32_t, absl::string_view);

ExtendFunction ChooseExtend() {
  return crc32c_internal::HasSse42() ? &crc32c_internal::ExtendBySse42
                                     : &crc32c_internal::ExtendByTable;
}

}  // namespace

namespace crc32c_internal {

uint32_t ExtendByTable(uint32_t crc, absl::string_view data) {
  const char* p = data.data();
  size_t left = data.size();
  uint32_t state = ~crc;
  for (; left >= kSlices; left -= kSlices, p += kSlices) {
    uint32_t folded = 0;
    for (size_t i = 0; i < kSlices; ++i) {
      uint32_t byte = static_cast<uint8_t>(p[i]);
      if (i < 4) byte ^= (state >> (8 * i)) & 0xFFU;
      folded ^= kTables[kSlices - 1 - i][byte];
    }
    state = folded;
  }
  for (; left > 0; --left, ++p) {
    state = (state >> 8U) ^ kTables[0][(state ^ static_cast<uint8_t>(*p)) & 0xFFU];
  }
  return ~state;
}

#if defined(__x86_64__)

bool HasSse42() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) uint32_t ExtendBySse42(uint32_t crc, absl::string_view data) {
  const char* p = data.data();
  size_t left = data.size();
  uint64_t state = static_cast<uint32_t>(~crc);
  for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), p += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, p, sizeof(word));
    state = _mm_crc32_u64(state, word);
  }
  auto tail = static_cast<uint32_t>(state);
  for (; left > 0; --left, ++p) tail = _mm_crc32_u8(tail, static_cast<uint8_t>(*p));
  return ~tail;
}

#else

bool HasSse42() { return false; }

uint32_t ExtendBySse42(uint32_t /*crc*/, absl::string_view /*data*/) {
  QUIPU_CHECK(HasSse42());
  return 0;
}

#endif

}  // namespace crc32c_internal

uint32_t Crc32cExtend(uint32_t crc, absl::string_view data) {
  static const ExtendFunction extend = ChooseExtend();
  return extend(crc, data);
}

}  // namespace quipu
