// Goal: the tail keeps what is not durable, serves whole batches, and stays within its bound.
#include "broker/shard/unsynced_tail.h"

#include <gtest/gtest.h>

namespace quipu {
namespace {

constexpr PartitionUid kOne{1};
constexpr PartitionUid kTwo{2};

StoredBatch Batch(int64_t base, int64_t last, size_t size) {
  return {.base_offset = Offset(base),
          .last_offset = Offset(last),
          .max_timestamp = TimestampMs(0),
          .bytes = Bytes(std::string(size, 'x'))};
}

std::vector<int64_t> Bases(const std::vector<StoredBatch>& batches) {
  std::vector<int64_t> bases;
  for (const StoredBatch& batch : batches) bases.push_back(batch.base_offset.value());
  return bases;
}
using BaseList = std::vector<int64_t>;

TEST(UnsyncedTail, ReadsWholeBatchesUpToTheEnd) {
  UnsyncedTail tail(1000, 1000);
  tail.Append(kOne, Batch(0, 4, 10));
  tail.Append(kOne, Batch(5, 9, 10));
  tail.Append(kOne, Batch(10, 14, 10));
  EXPECT_EQ(Bases(tail.Read(kOne, Offset(3), Offset(15), 100)), (BaseList{0, 5, 10}));
  EXPECT_EQ(Bases(tail.Read(kOne, Offset(5), Offset(14), 100)), (BaseList{5}));
  EXPECT_EQ(Bases(tail.Read(kOne, Offset(5), Offset(15), 1)), (BaseList{5}));
  EXPECT_TRUE(tail.Read(kOne, Offset(15), Offset(15), 100).empty());
}

TEST(UnsyncedTail, NeverEvictsWhatIsNotDurable) {
  UnsyncedTail tail(100, 100);
  for (int i = 0; i < 5; ++i) tail.Append(kOne, Batch(i, i, 60));
  EXPECT_TRUE(tail.Covers(kOne, Offset(0)));
  EXPECT_TRUE(tail.full());
  EXPECT_EQ(tail.bytes(), 300U);
  tail.OnDurable(kOne, Offset(5));
  EXPECT_FALSE(tail.full());
  EXPECT_LE(tail.bytes(), 100U);
  EXPECT_FALSE(tail.Covers(kOne, Offset(3)));
  EXPECT_TRUE(tail.Covers(kOne, Offset(4)));
}

TEST(UnsyncedTail, EvictsTheOldestOfAllPartitionsFirst) {
  UnsyncedTail tail(100, 100);
  tail.Append(kOne, Batch(0, 0, 50));
  tail.Append(kTwo, Batch(0, 0, 50));
  tail.OnDurable(kOne, Offset(1));
  tail.OnDurable(kTwo, Offset(1));
  tail.Append(kTwo, Batch(1, 1, 50));
  EXPECT_TRUE(tail.Covers(kOne, Offset(0)));  // what is not durable takes no room of what is
  tail.OnDurable(kTwo, Offset(2));
  EXPECT_FALSE(tail.Covers(kOne, Offset(0)));
  EXPECT_TRUE(tail.Covers(kTwo, Offset(0)));
}

TEST(UnsyncedTail, WhatIsDurableStaysOnlyAsFarAsItIsToldTo) {
  UnsyncedTail tail(1000, 60);
  for (int i = 0; i < 5; ++i) tail.Append(kOne, Batch(i, i, 60));
  EXPECT_EQ(tail.bytes(), 300U);
  tail.OnDurable(kOne, Offset(3));
  EXPECT_EQ(tail.bytes(), 180U);
  EXPECT_TRUE(tail.Covers(kOne, Offset(2)));
  EXPECT_FALSE(tail.Covers(kOne, Offset(1)));
  tail.OnDurable(kOne, Offset(5));
  EXPECT_EQ(tail.bytes(), 60U);
}

TEST(UnsyncedTail, TruncationForgetsTheEndAndItsBytes) {
  UnsyncedTail tail(1000, 1000);
  tail.Append(kOne, Batch(0, 4, 10));
  tail.Append(kOne, Batch(5, 9, 10));
  tail.OnDurable(kOne, Offset(5));
  tail.Truncate(kOne, Offset(5));
  EXPECT_EQ(tail.bytes(), 10U);
  EXPECT_EQ(tail.unsynced_bytes(), 0U);
  tail.Append(kOne, Batch(5, 7, 10));
  EXPECT_EQ(Bases(tail.Read(kOne, Offset(0), Offset(8), 100)), (BaseList{0, 5}));
  tail.Drop(kOne);
  EXPECT_EQ(tail.bytes(), 0U);
  EXPECT_EQ(tail.unsynced_bytes(), 0U);
  EXPECT_FALSE(tail.Covers(kOne, Offset(5)));
}

TEST(UnsyncedTail, ADroppedPartitionDoesNotBlockEviction) {
  UnsyncedTail tail(100, 100);
  tail.Append(kOne, Batch(0, 0, 50));  // never durable
  tail.Append(kTwo, Batch(0, 0, 50));
  tail.OnDurable(kTwo, Offset(1));
  tail.Drop(kOne);
  for (int i = 1; i < 10; ++i) {
    tail.Append(kTwo, Batch(i, i, 50));
    tail.OnDurable(kTwo, Offset(i + 1));
  }
  EXPECT_LE(tail.bytes(), 100U);
}

TEST(UnsyncedTail, BytesBetweenAreKnownOnlyWhereItReaches) {
  UnsyncedTail tail(100, 100);
  for (int i = 0; i < 4; ++i) {
    tail.Append(kOne, Batch(i, i, 40));
    tail.OnDurable(kOne, Offset(i + 1));
  }
  EXPECT_EQ(tail.BytesBetween(kOne, Offset(2), Offset(4)), 80U);
  EXPECT_EQ(tail.BytesBetween(kOne, Offset(4), Offset(4)), 0U);
  EXPECT_EQ(tail.BytesBetween(kOne, Offset(0), Offset(4)), std::nullopt);
}

}  // namespace
}  // namespace quipu
