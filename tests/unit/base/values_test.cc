// Goal: the small value types of base/ keep their contracts.
#include <limits>
#include <sstream>
#include <type_traits>

#include "base/big_endian.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/rng.h"
#include "base/strong_int.h"
#include "base/uuid.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

// ---- StrongInt ----
static_assert(!std::is_convertible_v<int64_t, Offset>);
static_assert(!std::is_convertible_v<Offset, int64_t>);
static_assert(!std::is_convertible_v<LeaderEpoch, PartitionEpoch>);

TEST(StrongIntTest, IsZeroByDefault) { EXPECT_EQ(Offset().value(), 0); }

TEST(StrongIntTest, ComparesByValue) {
  EXPECT_LT(Offset(1), Offset(2));
  EXPECT_EQ(Offset(2), Offset(2));
  EXPECT_GE(Offset(3), Offset(2));
}

TEST(StrongIntTest, CountsAndMeasures) {
  Offset offset(5);
  ++offset;
  offset += 4;
  EXPECT_EQ(offset, Offset(10));
  EXPECT_EQ(offset + 1, Offset(11));
  EXPECT_EQ(offset - 1, Offset(9));
  EXPECT_EQ(offset - Offset(4), 6);
}

TEST(StrongIntTest, PrintsItsNumberEvenWhenNarrow) {
  std::ostringstream out;
  out << ProducerEpoch(7) << ' ' << StrongInt<struct TinyTag, int8_t>(65);
  EXPECT_EQ(out.str(), "7 65");
  EXPECT_EQ(Offset(-1).ToString(), "-1");
}

TEST(StrongIntTest, MaxIsTheLargestNumber) {
  EXPECT_EQ(LeaderEpoch::Max().value(), std::numeric_limits<int32_t>::max());
}

// ---- big endian ----
TEST(BigEndianTest, StoresTheMostSignificantByteFirst) {
  std::string out;
  AppendBigEndian<int32_t>(out, 0x01020304);
  EXPECT_EQ(out, std::string("\x01\x02\x03\x04", 4));
}

template <typename T>
void ExpectRoundTrip(T value) {
  char buffer[sizeof(T)];
  StoreBigEndian(value, buffer);
  EXPECT_EQ(LoadBigEndian<T>(buffer), value);
}

TEST(BigEndianTest, RoundTripsTheExtremesOfEveryWidth) {
  ExpectRoundTrip(std::numeric_limits<int8_t>::min());
  ExpectRoundTrip(std::numeric_limits<int16_t>::min());
  ExpectRoundTrip(std::numeric_limits<int32_t>::min());
  ExpectRoundTrip(std::numeric_limits<int64_t>::min());
  ExpectRoundTrip(std::numeric_limits<int64_t>::max());
  ExpectRoundTrip(std::numeric_limits<uint64_t>::max());
  ExpectRoundTrip(int64_t{-1});
}

TEST(BigEndianTest, UnsignedKeysSortAsTheirNumbers) {
  std::string small;
  std::string large;
  AppendBigEndian<uint64_t>(small, 255);
  AppendBigEndian<uint64_t>(large, 256);
  EXPECT_LT(small, large);
}

// ---- Bytes ----
TEST(BytesTest, ACopySharesTheMemory) {
  const Bytes bytes(std::string("hello world, longer than any small string"));
  const Bytes copy = bytes;
  EXPECT_EQ(copy.data(), bytes.data());
}

TEST(BytesTest, ASliceOutlivesTheWhole) {
  Bytes slice;
  {
    const Bytes whole(std::string("hello world, longer than any small string"));
    slice = whole.Slice(6, 5);
  }
  EXPECT_EQ(slice.view(), "world");
}

TEST(BytesTest, ASliceIsCutAtTheEnd) {
  EXPECT_EQ(Bytes(std::string("abc")).Slice(1, 100).view(), "bc");
}

TEST(BytesTest, EmptyIsEmpty) {
  EXPECT_TRUE(Bytes().empty());
  EXPECT_EQ(Bytes(), Bytes(std::string()));
}

TEST(BytesTest, EqualityLooksAtTheContent) {
  EXPECT_EQ(Bytes::CopyOf("abc"), Bytes(std::string("abc")));
  EXPECT_FALSE(Bytes::CopyOf("abc") == Bytes::CopyOf("abd"));
}

// ---- Rng ----
TEST(RngTest, TheSameSeedGivesTheSameNumbers) {
  Rng a(42);
  Rng b(42);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Next(), b.Next());
}

// The sequence is part of every simulator seed's meaning, so it must never change.
TEST(RngTest, TheSequenceOfSeedZeroIsFixed) {
  Rng rng(0);
  EXPECT_EQ(rng.Next(), 0x99EC5F36CB75F2B4ULL);
}

TEST(RngTest, BelowStaysBelowAndReachesAll) {
  Rng rng(1);
  bool seen[7] = {};
  for (int i = 0; i < 1000; ++i) {
    const uint64_t x = rng.Below(7);
    ASSERT_LT(x, 7U);
    seen[x] = true;
  }
  for (const bool s : seen) EXPECT_TRUE(s);
}

TEST(RngTest, BetweenIsInclusiveAtBothEnds) {
  Rng rng(1);
  bool low = false;
  bool high = false;
  for (int i = 0; i < 1000; ++i) {
    const int64_t x = rng.Between(-2, 2);
    ASSERT_GE(x, -2);
    ASSERT_LE(x, 2);
    low = low || x == -2;
    high = high || x == 2;
  }
  EXPECT_TRUE(low && high);
}

TEST(RngTest, BetweenTakesTheWholeRange) {
  Rng rng(1);
  bool negative = false;
  bool positive = false;
  for (int i = 0; i < 100; ++i) {
    const int64_t x =
        rng.Between(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
    negative = negative || x < 0;
    positive = positive || x > 0;
  }
  EXPECT_TRUE(negative && positive);
}

TEST(RngTest, ChanceZeroAndOneAreCertain) {
  Rng rng(1);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(rng.Chance(0, 5));
    EXPECT_TRUE(rng.Chance(5, 5));
  }
}

TEST(RngTest, AForkGoesItsOwnWay) {
  Rng rng(1);
  Rng fork = rng.Fork();
  EXPECT_NE(fork.Next(), rng.Next());
}

// ---- Uuid ----
TEST(UuidTest, TextAndBytesRoundTrip) {
  Rng rng(3);
  const Uuid id = Uuid::Random(rng);
  EXPECT_EQ(Uuid::FromText(id.ToText()), id);
  EXPECT_EQ(Uuid::FromBytes(id.ToBytes()), id);
  EXPECT_EQ(id.ToText().size(), 32U);
  EXPECT_EQ(id.ToBytes().size(), 16U);
}

TEST(UuidTest, ReadsDashesAndUpperCase) {
  EXPECT_EQ(Uuid::FromText("01234567-89AB-CDEF-0011-223344556677"),
            Uuid(0x0123456789ABCDEFULL, 0x0011223344556677ULL));
}

TEST(UuidTest, RefusesOtherLengthsAndLetters) {
  EXPECT_EQ(Uuid::FromText(""), std::nullopt);
  EXPECT_EQ(Uuid::FromText(std::string(31, 'a')), std::nullopt);
  EXPECT_EQ(Uuid::FromText(std::string(33, 'a')), std::nullopt);
  EXPECT_EQ(Uuid::FromText(std::string(31, 'a') + "g"), std::nullopt);
  EXPECT_EQ(Uuid::FromBytes("short"), std::nullopt);
}

TEST(UuidTest, BytesSortAsTheIds) {
  EXPECT_LT(Uuid(1, 0).ToBytes(), Uuid(2, 0).ToBytes());
  EXPECT_LT(Uuid(1, 0), Uuid(2, 0));
}

TEST(UuidTest, DefaultIsZero) {
  EXPECT_TRUE(Uuid().IsZero());
  Rng rng(4);
  EXPECT_FALSE(Uuid::Random(rng).IsZero());
}

}  // namespace
}  // namespace quipu
