// Goal: CRC32C gives the published values, and both ways to compute it agree on everything.
// Method: the vectors of RFC 3720 (B.4), then random data at all alignments and cuts.
#include "base/crc32c.h"

#include <string>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

std::string Rising(int first, int last, int step) {
  std::string text;
  for (int i = first; i != last + step; i += step) text.push_back(static_cast<char>(i));
  return text;
}

std::string RandomText(Rng& rng, size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(rng.Below(256));
  return text;
}

TEST(Crc32cTest, GivesTheValuesOfRfc3720) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  EXPECT_EQ(Crc32c(Rising(0, 31, 1)), 0x46DD794EU);
  EXPECT_EQ(Crc32c(Rising(31, 0, -1)), 0x113FDB5CU);
}

TEST(Crc32cTest, GivesTheCheckValueOfTheCatalogue) { EXPECT_EQ(Crc32c("123456789"), 0xE3069283U); }

TEST(Crc32cTest, OfNothingIsZero) { EXPECT_EQ(Crc32c(""), 0U); }

TEST(Crc32cTest, ExtendingEqualsOneCall) {
  Rng rng(1);
  const std::string text = RandomText(rng, 300);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t head = Crc32c(absl::string_view(text).substr(0, cut));
    EXPECT_EQ(Crc32cExtend(head, absl::string_view(text).substr(cut)), Crc32c(text));
  }
}

TEST(Crc32cTest, TableAndInstructionAgree) {
  if (!crc32c_internal::HasSse42()) GTEST_SKIP() << "this machine has no SSE4.2";
  Rng rng(2);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = RandomText(rng, rng.Below(200));
    const absl::string_view data = absl::string_view(text).substr(rng.Below(text.size() + 1));
    const auto seed = static_cast<uint32_t>(rng.Next());
    EXPECT_EQ(crc32c_internal::ExtendByTable(seed, data),
              crc32c_internal::ExtendBySse42(seed, data));
  }
}

// Long data is taken in parts side by side: around every length at which that begins.
TEST(Crc32cTest, TableAndInstructionAgreeOnLongData) {
  if (!crc32c_internal::HasSse42()) GTEST_SKIP() << "this machine has no SSE4.2";
  Rng rng(3);
  const std::string text = RandomText(rng, 3 * 6144 + 3 * 384 + 100);
  const auto compare = [&](size_t size) {
    const absl::string_view data = absl::string_view(text).substr(rng.Below(8), size);
    const auto seed = static_cast<uint32_t>(rng.Next());
    ASSERT_EQ(crc32c_internal::ExtendByTable(seed, data),
              crc32c_internal::ExtendBySse42(seed, data))
        << size;
  };
  for (size_t size = 0; size < 3 * 384 + 20; ++size) compare(size);
  for (size_t parts = 1; parts <= 3; ++parts) {
    for (size_t size = parts * 6144 - 20; size < parts * 6144 + 800; ++size) compare(size);
  }
}

TEST(Crc32cTest, PiecesArePutTogether) {
  Rng rng(4);
  const std::string text = RandomText(rng, 200'000);
  for (int i = 0; i < 500; ++i) {
    const absl::string_view whole = absl::string_view(text).substr(0, rng.Below(text.size() + 1));
    const size_t cut = i == 0 ? 0 : i == 1 ? whole.size() : rng.Below(whole.size() + 1);
    EXPECT_EQ(
        Crc32cConcat(Crc32c(whole.substr(0, cut)), Crc32c(whole.substr(cut)), whole.size() - cut),
        Crc32c(whole))
        << whole.size() << " cut at " << cut;
  }
}

}  // namespace
}  // namespace quipu
