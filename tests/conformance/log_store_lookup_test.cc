// Goal: searches by time and size, and small values, are alike in every LogStore.
// Method: the same tests against each store; a store is reopened where durability is meant.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/conformance/log_store_test_suite.h"

namespace quipu::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogStoreLookupTest : public LogStoreTest {};
INSTANTIATE_TEST_SUITE_P(Stores, LogStoreLookupTest,
                         ::testing::Values(Kind::kMemory, Kind::kRocksdb, Kind::kJournal),
                         KindName);

// ---- time and size -----------------------------------------------------------------------------

TEST_P(LogStoreLookupTest, FindsTheFirstBatchOfATime) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5, .timestamp = TimestampMs(100)},
               {.base = Offset(5), .records = 5, .timestamp = TimestampMs(200)},
               {.base = Offset(10), .records = 5, .timestamp = TimestampMs(150)},
               {.base = Offset(15), .records = 5, .timestamp = TimestampMs(300)}});
  EXPECT_EQ(FindByTimestamp(log, 50), 0);
  EXPECT_EQ(FindByTimestamp(log, 100), 0);
  EXPECT_EQ(FindByTimestamp(log, 101), 5);
  EXPECT_EQ(FindByTimestamp(log, 201), 15);
  EXPECT_EQ(FindByTimestamp(log, 301), -1);
}

TEST_P(LogStoreLookupTest, FindsTimesInALogOfManyIndexEntries) {
  const LogId log = Create(1);
  // Two steps forward, one back: running maximum and batch maximum differ.
  for (int64_t i = 0; i < 60; ++i) {
    const int64_t time = 1000 + i * 10 - (i % 3 == 2 ? 25 : 0);
    Append(log, {{.base = Offset(i), .timestamp = TimestampMs(time), .value_bytes = 20000}});
  }
  for (int round = 0; round < 2; ++round) {
    for (int64_t i = 0; i < 60; ++i) {
      if (i % 3 == 2) continue;
      EXPECT_EQ(FindByTimestamp(log, 1000 + i * 10), i) << i;
    }
    Reopen();
  }
}

TEST_P(LogStoreLookupTest, TimesOfTrimmedBatchesDoNotCount) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .timestamp = TimestampMs(9000), .value_bytes = 100000},
               {.base = Offset(1), .timestamp = TimestampMs(100), .value_bytes = 100000},
               {.base = Offset(2), .timestamp = TimestampMs(200), .value_bytes = 100000}});
  EXPECT_EQ(FindByTimestamp(log, 150), 0);
  SetLogStart(log, Offset(1));
  EXPECT_EQ(FindByTimestamp(log, 150), 2);
  EXPECT_EQ(FindByTimestamp(log, 5000), -1);
  Reopen();
  EXPECT_EQ(FindByTimestamp(log, 150), 2);
}

TEST_P(LogStoreLookupTest, TheLargestTimestampIsThatOfWhatIsThere) {
  const LogId log = Create(1);
  const auto largest = [&](int64_t from = 0) {
    const auto found = store().FindLargestTimestamp(log, Offset(from));
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && found->has_value() ? (*found)->base_offset.value() : -1;
  };
  EXPECT_EQ(largest(), -1);
  Append(log, {{.base = Offset(0), .timestamp = kNoTimestamp}});
  EXPECT_EQ(largest(), -1);
  Append(log, {{.base = Offset(1), .timestamp = TimestampMs(9000), .value_bytes = 100000},
               {.base = Offset(2), .timestamp = TimestampMs(100), .value_bytes = 100000},
               {.base = Offset(3), .timestamp = TimestampMs(200), .value_bytes = 100000},
               {.base = Offset(4), .timestamp = TimestampMs(200), .value_bytes = 100000},
               {.base = Offset(5), .timestamp = TimestampMs(150)}});
  EXPECT_EQ(largest(), 1);
  EXPECT_EQ(largest(2), 3);
  SetLogStart(log, Offset(2));
  EXPECT_EQ(largest(), 3);
  Reopen();
  EXPECT_EQ(largest(), 3);
  SetLogStart(log, Offset(5));
  EXPECT_EQ(largest(), 5);
}

TEST_P(LogStoreLookupTest, BatchesWithoutTimestampAreNeverFound) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .timestamp = kNoTimestamp, .value_bytes = 100000},
               {.base = Offset(1), .timestamp = TimestampMs(5), .value_bytes = 100000}});
  EXPECT_EQ(FindByTimestamp(log, 0), 1);
}

TEST_P(LogStoreLookupTest, OffsetForSizeKeepsWholeBatches) {
  const LogId log = Create(1);
  constexpr int64_t kBatches = 40;
  for (int64_t i = 0; i < kBatches; ++i) {
    Append(log, {{.base = Offset(i * 2), .records = 2, .value_bytes = 10000}});
  }
  const auto size =
      static_cast<int64_t>(MakeBatch({.records = 2, .value_bytes = 10000}).bytes.size());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(OffsetForSize(log, kBatches * size), 0);
    EXPECT_EQ(OffsetForSize(log, kBatches * size - 1), 2);
    EXPECT_EQ(OffsetForSize(log, 10 * size), 2 * (kBatches - 10));
    EXPECT_EQ(OffsetForSize(log, 10 * size + size / 2), 2 * (kBatches - 10));
    EXPECT_EQ(OffsetForSize(log, size), 2 * (kBatches - 1));
    EXPECT_EQ(OffsetForSize(log, size - 1), 2 * kBatches);
    EXPECT_EQ(OffsetForSize(log, 0), 2 * kBatches);
    Reopen();
  }
}

TEST_P(LogStoreLookupTest, OffsetForSizeCountsFromTheLogStart) {
  const LogId log = Create(1);
  for (int64_t i = 0; i < 20; ++i) Append(log, {{.base = Offset(i), .value_bytes = 20000}});
  const auto size = static_cast<int64_t>(MakeBatch({.value_bytes = 20000}).bytes.size());
  SetLogStart(log, Offset(12));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(OffsetForSize(log, 8 * size), 12);
    EXPECT_EQ(OffsetForSize(log, 7 * size), 13);
    Reopen();
  }
}

TEST_P(LogStoreLookupTest, ApproximateBytesFollowAppendTrimAndTruncation) {
  const LogId log = Create(1);
  EXPECT_EQ(store().ApproximateBytes(log), 0);
  for (int64_t i = 0; i < 50; ++i) Append(log, {{.base = Offset(i), .value_bytes = 20000}});
  constexpr int64_t kStep = 90000;
  EXPECT_NEAR(static_cast<double>(store().ApproximateBytes(log)), 50 * 20100, kStep);
  SetLogStart(log, Offset(25));
  EXPECT_NEAR(static_cast<double>(store().ApproximateBytes(log)), 25 * 20100, kStep);
  LogMutation mutation;
  mutation.truncate_to = Offset(35);
  Write(log, mutation);
  EXPECT_NEAR(static_cast<double>(store().ApproximateBytes(log)), 10 * 20100, kStep);
  Reopen();
  EXPECT_NEAR(static_cast<double>(store().ApproximateBytes(log)), 10 * 20100, kStep);
}

// ---- values ------------------------------------------------------------------------------------

TEST_P(LogStoreLookupTest, NamedValuesAreKept) {
  EXPECT_EQ(*store().GetValue("a"), std::nullopt);
  ASSERT_TRUE(store().PutValue("a", "one").ok());
  ASSERT_TRUE(store().PutValue("b", std::string("\0x", 2)).ok());
  ASSERT_TRUE(store().PutValue("a", "two").ok());
  Reopen();
  EXPECT_EQ(*store().GetValue("a"), "two");
  EXPECT_EQ(*store().GetValue("b"), std::string("\0x", 2));
}

}  // namespace
}  // namespace quipu::conformance
