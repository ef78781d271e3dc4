// Goal: records are gathered by size and time and never beyond the memory allowed.
#include "core/client/record_accumulator.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/core/client/client_test_support.h"

namespace quipu {
namespace {

using test::At;

RecordInput Record(const std::string& value) {
  return {.timestamp = TimestampMs(1), .key = std::nullopt, .value = value, .headers = {}};
}

std::vector<PendingBatch> Take(RecordAccumulator& accumulator, Instant now, int32_t room = 5) {
  std::vector<PendingBatch> out;
  accumulator.TakeReady(now, [room](PartitionSlot) { return room; }, out);
  return out;
}

TEST(RecordAccumulatorTest, OpenBatchWaitsForLinger) {
  RecordAccumulator accumulator({}, Rng(1));
  accumulator.SetTopic("t", test::kTopic, 1);
  accumulator.Append("t", PartitionIndex(0), Record("a"), At(0));
  EXPECT_TRUE(Take(accumulator, At(4)).empty());
  EXPECT_EQ(accumulator.NextDeadline([](PartitionSlot) { return 5; }), At(5));
  EXPECT_EQ(Take(accumulator, At(5)).size(), 1U);
  EXPECT_TRUE(accumulator.empty());
}

TEST(RecordAccumulatorTest, FullBatchIsReadyAtOnce) {
  RecordAccumulator accumulator({.batch_bytes = 1000}, Rng(1));
  accumulator.SetTopic("t", test::kTopic, 1);
  const std::string value(300, 'x');
  for (int i = 0; i < 4; ++i) accumulator.Append("t", PartitionIndex(0), Record(value), At(0));
  const std::vector<PendingBatch> ready = Take(accumulator, At(0));
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].builder.record_count(), 2);
}

TEST(RecordAccumulatorTest, BufferMemoryIsALimitAndIsGivenBack) {
  RecordAccumulator accumulator({.buffer_bytes_max = 1000}, Rng(1));
  accumulator.SetTopic("t", test::kTopic, 1);
  const std::string value(500, 'x');
  EXPECT_EQ(accumulator.Append("t", PartitionIndex(0), Record(value), At(0)).error,
            ErrorCode::kNone);
  EXPECT_EQ(accumulator.Append("t", PartitionIndex(0), Record(value), At(0)).error,
            ErrorCode::kBufferFull);
  accumulator.FlushOpen();
  const std::vector<PendingBatch> ready = Take(accumulator, At(0));
  ASSERT_EQ(ready.size(), 1U);
  accumulator.Release(ready[0].builder.size_bytes());
  EXPECT_EQ(accumulator.buffered_bytes(), 0U);
  EXPECT_EQ(accumulator.Append("t", PartitionIndex(0), Record(value), At(0)).error,
            ErrorCode::kNone);
}

TEST(RecordAccumulatorTest, OversizedRecordIsRefused) {
  RecordAccumulator accumulator({.request_bytes_max = 1000}, Rng(1));
  accumulator.SetTopic("t", test::kTopic, 1);
  EXPECT_EQ(accumulator.Append("t", PartitionIndex(0), Record(std::string(1000, 'x')), At(0)).error,
            ErrorCode::kMessageTooLarge);
}

TEST(RecordAccumulatorTest, UnknownTopicAndPartitionAreRefused) {
  RecordAccumulator accumulator({}, Rng(1));
  EXPECT_EQ(accumulator.Append("t", std::nullopt, Record("a"), At(0)).error,
            ErrorCode::kUnknownTopicOrPartition);
  accumulator.SetTopic("t", test::kTopic, 2);
  EXPECT_EQ(accumulator.Append("t", PartitionIndex(2), Record("a"), At(0)).error,
            ErrorCode::kUnknownTopicOrPartition);
}

TEST(RecordAccumulatorTest, NullKeysStickToAPartitionUntilItsBatchIsClosed) {
  RecordAccumulator accumulator({.batch_bytes = 400}, Rng(1));
  accumulator.SetTopic("t", test::kTopic, 4);
  std::set<int32_t> partitions;
  PartitionIndex last{-1};
  int changes = 0;
  for (int i = 0; i < 40; ++i) {
    const auto appended =
        accumulator.Append("t", std::nullopt, Record(std::string(80, 'x')), At(0));
    ASSERT_EQ(appended.error, ErrorCode::kNone);
    if (appended.partition != last) ++changes;
    last = appended.partition;
    partitions.insert(last.value());
  }
  EXPECT_GT(partitions.size(), 2U);
  EXPECT_LT(changes, 20);
}

TEST(RecordAccumulatorTest, PartitionWithoutRoomKeepsItsRecordsInOrder) {
  RecordAccumulator accumulator({.linger = Duration(0)}, Rng(1));
  accumulator.SetTopic("t", test::kTopic, 1);
  accumulator.Append("t", PartitionIndex(0), Record("a"), At(0));
  EXPECT_TRUE(Take(accumulator, At(1), 0).empty());
  accumulator.Append("t", PartitionIndex(0), Record("b"), At(2));
  const std::vector<PendingBatch> ready = Take(accumulator, At(2));
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].builder.record_count(), 2);
}

}  // namespace
}  // namespace quipu
