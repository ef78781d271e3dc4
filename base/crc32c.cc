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

// The product of two polynomials modulo the CRC's; bit 31 is the constant term.
constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int i = 31; i >= 0; --i) {
    product ^= b & (0U - ((a >> static_cast<unsigned>(i)) & 1U));
    b = (b >> 1U) ^ (kPolynomialReflected & (0U - (b & 1U)));
  }
  return product;
}

// [k]: x to the power of the bits of 2^k bytes. A state times that is what 2^k zeros make of it.
constexpr std::array<uint32_t, 64> MakePowers() {
  std::array<uint32_t, 64> powers{};
  powers[0] = 0x80000000U >> 8U;
  for (size_t k = 1; k < powers.size(); ++k) powers[k] = Multiply(powers[k - 1], powers[k - 1]);
  return powers;
}

constexpr std::array<uint32_t, 64> kPowers = MakePowers();

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

namespace {

// [k][b]: what becomes of byte k of a state, with the value b, over some number of zero bytes.
using ZerosTable = std::array<std::array<uint32_t, 256>, sizeof(uint32_t)>;

ZerosTable MakeZerosTable(size_t zeros) {
  ZerosTable table{};
  for (size_t k = 0; k < table.size(); ++k) {
    for (int bit = 0; bit < 8; ++bit) {
      uint32_t state = uint32_t{1} << (8 * k + static_cast<size_t>(bit));
      for (size_t i = 0; i < zeros; ++i) state = (state >> 8U) ^ kTables[0][state & 0xFFU];
      table[k][size_t{1} << bit] = state;
    }
    for (size_t byte = 1; byte < 256; ++byte) {  // the rest by addition
      const size_t lowest = byte & (~byte + 1);
      table[k][byte] = table[k][lowest] ^ table[k][byte ^ lowest];
    }
  }
  return table;
}

uint32_t AppendZeros(const ZerosTable& table, uint32_t state) {
  return table[0][state & 0xFFU] ^ table[1][(state >> 8U) & 0xFFU] ^
         table[2][(state >> 16U) & 0xFFU] ^ table[3][state >> 24U];
}

uint64_t LoadWord(const char* p) {
  uint64_t word = 0;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

}  // namespace

bool HasSse42() { return __builtin_cpu_supports("sse4.2") != 0; }

// The instruction takes a word in each cycle, but gives its result three cycles later: three parts
// of the data are taken side by side, and put together by moving a state over as many zeros as the
// next part is long.
template <size_t kPart>
__attribute__((target("sse4.2"))) uint64_t ExtendByThirds(uint64_t state, const char*& p,
                                                          size_t& left) {
  static const ZerosTable zeros = MakeZerosTable(kPart);
  for (; left >= 3 * kPart; left -= 3 * kPart, p += 3 * kPart) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t at = 0; at < kPart; at += sizeof(uint64_t)) {
      state = _mm_crc32_u64(state, LoadWord(p + at));
      second = _mm_crc32_u64(second, LoadWord(p + at + kPart));
      third = _mm_crc32_u64(third, LoadWord(p + at + 2 * kPart));
    }
    const uint32_t first_two =
        AppendZeros(zeros, static_cast<uint32_t>(state)) ^ static_cast<uint32_t>(second);
    state = AppendZeros(zeros, first_two) ^ static_cast<uint32_t>(third);
  }
  return state;
}

__attribute__((target("sse4.2"))) uint32_t ExtendBySse42(uint32_t crc, absl::string_view data) {
  const char* p = data.data();
  size_t left = data.size();
  uint64_t state = static_cast<uint32_t>(~crc);
  state = ExtendByThirds<2048>(state, p, left);
  state = ExtendByThirds<128>(state, p, left);
  for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), p += sizeof(uint64_t)) {
    state = _mm_crc32_u64(state, LoadWord(p));
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

uint32_t Crc32cConcat(uint32_t first, uint32_t second, size_t second_bytes) {
  for (size_t k = 0; second_bytes != 0; ++k, second_bytes >>= 1U) {
    if ((second_bytes & 1U) != 0) first = Multiply(kPowers[k], first);
  }
  return first ^ second;
}

}  // namespace quipu
