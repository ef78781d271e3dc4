// Goal: what was written is what is read, and each answer says what the log is: its times, where it
// starts, and what its epochs are.
#include "core/kafka/log/list_offsets.h"
#include "core/kafka/log/offset_for_leader_epoch.h"
#include "core/record/compression.h"
#include "core/record/record_batch_builder.h"
#include "core/record/record_walker.h"
#include "gmock/gmock.h"
#include "tests/unit/broker/kafka/log_fixture.h"

namespace quipu::kafka {
namespace {

using testing::MakeBatch;

class KafkaLogContentsTest : public KafkaLogTest {
 protected:
  KafkaLogContentsTest() : KafkaLogTest(1) {}

  // A leader that restarts leads in another epoch.
  void Restart() {
    const LeaderEpoch before = Epoch();
    kafka_.world.machine(1).Crash();
    kafka_.world.RunUntil([&] { return kafka_.world.Partition(a_, 0).leader == kNoBroker; });
    kafka_.world.machine(1).Boot();
    kafka_.world.RunUntil([&] { return kafka_.world.Partition(a_, 0).leader != kNoBroker; });
    kafka_.world.RunFor(std::chrono::seconds(2));
    EXPECT_GT(Epoch(), before);
  }
  LeaderEpoch Epoch() { return kafka_.world.Partition(a_, 0).leader_epoch; }

  ListOffsetsResponse::Partition Newest(LeaderEpoch current) {
    ListOffsetsRequest request;
    request.topics = {{.name = "a",
                       .partitions = {{.partition_index = PartitionIndex(0),
                                       .current_leader_epoch = current,
                                       .timestamp = -1}}}};
    return kafka_.Ask<ListOffsetsResponse>(HandleListOffsets, request, 10)
        .topics.at(0)
        .partitions.at(0);
  }
  OffsetForLeaderEpochResponse::Partition End(LeaderEpoch current, LeaderEpoch wanted,
                                              int16_t version = 4, int partition = 0,
                                              const std::string& topic = "a") {
    OffsetForLeaderEpochRequest request;
    request.topics = {{.topic = topic,
                       .partitions = {{.partition = PartitionIndex(partition),
                                       .current_leader_epoch = current,
                                       .leader_epoch = wanted}}}};
    return kafka_.Ask<OffsetForLeaderEpochResponse>(HandleOffsetForLeaderEpoch, request, version)
        .topics.at(0)
        .partitions.at(0);
  }
};

// ---- times -----------------------------------------------------------------------------------

TEST_F(KafkaLogContentsTest, TheProducersTimeStaysWhereItIsWanted) {
  const auto written = Write(Writes(MakeBatch(0, 3, -1, 0, 0, 500)));
  EXPECT_EQ(written.log_append_time_ms, kNoTimestamp);
  const auto batch = OnlyBatch(Read(Reads(0)));
  EXPECT_EQ(batch.timestamp_type(), TimestampType::kCreateTime);
  EXPECT_EQ(batch.base_timestamp(), TimestampMs(500));
  EXPECT_EQ(batch.max_timestamp(), TimestampMs(502));
}

TEST_F(KafkaLogContentsTest, WithAppendTimeTheBrokersTimeCounts) {
  kafka_.world.CreateTopic("b", 1, 1, {{"message.timestamp.type", "LogAppendTime"}});
  const auto written = Write(Writes(MakeBatch(0, 3, 1000, 0, 0, 500), "b"));
  EXPECT_EQ(written.error_code, ErrorCode::kNone);
  const TimestampMs now = written.log_append_time_ms;
  EXPECT_GT(now, TimestampMs(1700000000000));
  FetchRequest request = Reads(0);
  request.topics[0].topic = "b";
  const auto batch = OnlyBatch(Read(request));
  EXPECT_TRUE(batch.CrcMatches());
  EXPECT_EQ(batch.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(batch.max_timestamp(), now);  // what a client takes for the time of every record
  // A repetition has the time of the first.
  kafka_.world.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(Write(Writes(MakeBatch(0, 3, 1000, 0, 0, 500), "b")).log_append_time_ms, now);
  ListOffsetsRequest times;
  times.topics = {
      {.name = "b",
       .partitions = {{.partition_index = PartitionIndex(0), .timestamp = now.value()}}}};
  const auto found =
      kafka_.Ask<ListOffsetsResponse>(HandleListOffsets, times, 10).topics.at(0).partitions.at(0);
  EXPECT_EQ(found.offset, Offset(0));
  EXPECT_EQ(found.timestamp, now);
}

// ---- log start -------------------------------------------------------------------------------

TEST_F(KafkaLogContentsTest, EveryAnswerSaysWhereTheLogStarts) {
  EXPECT_EQ(Write(Writes(MakeBatch(0, 4))).log_start_offset, Offset(0));
  EXPECT_EQ(Read(Reads(0)).log_start_offset, Offset(0));
  DeleteBelow(3);
  const auto written = Write(Writes(MakeBatch(4, 1)));
  EXPECT_EQ(written.base_offset, Offset(4));
  EXPECT_EQ(written.log_start_offset, Offset(3));
  const auto read = Read(Reads(3));
  EXPECT_EQ(read.error_code, ErrorCode::kNone);
  EXPECT_EQ(read.log_start_offset, Offset(3));
  EXPECT_EQ(read.high_watermark, Offset(5));
  const auto below = Read(Reads(2));
  EXPECT_EQ(below.error_code, ErrorCode::kOffsetOutOfRange);
  EXPECT_TRUE(below.records.slices.empty());
  EXPECT_EQ(Read(Reads(6)).error_code, ErrorCode::kOffsetOutOfRange);
}

// ---- topic ids -------------------------------------------------------------------------------

TEST_F(KafkaLogContentsTest, FromVersion13OnAnUnknownIdIsCalledOne) {
  Write(Writes(MakeBatch(0, 1)));
  FetchRequest request = Reads(0);
  request.topics[0].topic_id = Uuid{1, 2};
  for (int16_t version = 13; version <= 18; ++version) {
    const auto response = kafka_.Ask<FetchResponse>(HandleFetch, request, version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    EXPECT_EQ(response.responses.at(0).topic_id, (Uuid{1, 2}));
    EXPECT_EQ(response.responses[0].partitions.at(0).error_code, ErrorCode::kUnknownTopicId);
  }
  request.topics[0].topic_id = a_;
  EXPECT_EQ(Read(request, 13).records.slices.size(), 1U);
  request = Reads(0);
  request.topics[0].topic = "z";
  for (int16_t version = 4; version <= 12; ++version) {
    EXPECT_EQ(Read(request, version).error_code, ErrorCode::kUnknownTopicOrPartition);
  }
}

// ---- epochs ----------------------------------------------------------------------------------

TEST_F(KafkaLogContentsTest, WhoLooksUpOffsetsIsToldWhenItsEpochIsNotTheLeaders) {
  Write(Writes(MakeBatch(0, 2)));
  const LeaderEpoch first = Epoch();
  Restart();
  EXPECT_EQ(Newest(first).error_code, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(Newest(Epoch() + 1).error_code, ErrorCode::kUnknownLeaderEpoch);
  const auto newest = Newest(Epoch());
  EXPECT_EQ(newest.error_code, ErrorCode::kNone);
  EXPECT_EQ(newest.offset, Offset(2));
  EXPECT_EQ(newest.leader_epoch, Epoch());
}

TEST_F(KafkaLogContentsTest, TheEndOfEachEpochIsTold) {
  Write(Writes(MakeBatch(0, 2)));
  const LeaderEpoch first = Epoch();
  Restart();
  Write(Writes(MakeBatch(2, 3)));
  for (int16_t version = 2; version <= 4; ++version) {
    const auto end = End(Epoch(), first, version);
    EXPECT_EQ(end.error_code, ErrorCode::kNone);
    EXPECT_EQ(end.leader_epoch, first);
    EXPECT_EQ(end.end_offset, Offset(2));
  }
  EXPECT_EQ(End(kNoLeaderEpoch, Epoch()).end_offset, Offset(5));
  EXPECT_EQ(End(kNoLeaderEpoch, Epoch()).leader_epoch, Epoch());
  // Of one that the log does not have: the newest one before it (KIP-101).
  const auto future = End(Epoch(), Epoch() + 1);
  EXPECT_EQ(future.error_code, ErrorCode::kNone);
  EXPECT_EQ(future.leader_epoch, Epoch());
  EXPECT_EQ(future.end_offset, Offset(5));
  EXPECT_EQ(End(Epoch() + 1, first).error_code, ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(End(first, first).error_code, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(End(Epoch(), first, 4, 7).error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(End(Epoch(), first, 4, 0, "z").error_code, ErrorCode::kUnknownTopicOrPartition);
}

// ---- contents --------------------------------------------------------------------------------

// Empty is not null, in keys, values and values of headers, in every codec.
TEST_F(KafkaLogContentsTest, WhatIsEmptyStaysEmptyAndWhatIsNullStaysNull) {
  const std::optional<absl::string_view> null;
  const std::optional<absl::string_view> empty = "";
  const std::vector<RecordInput> inputs = {
      {.timestamp = TimestampMs(1), .key = empty, .value = empty},
      {.timestamp = TimestampMs(2), .key = null, .value = empty},
      {.timestamp = TimestampMs(3), .key = empty, .value = null},
      {.timestamp = TimestampMs(4), .key = null, .value = null},
      {.timestamp = TimestampMs(5),
       .key = "k",
       .value = "v",
       .headers = {{.key = "null", .value = null},
                   {.key = "empty", .value = empty},
                   {.key = "", .value = "unnamed"},
                   {.key = "null", .value = "again"}}}};
  int64_t offset = 0;
  for (const Compression codec : kCodecs) {
    RecordBatchBuilder builder(RecordBatchOptions{.compression = codec});
    for (const RecordInput& input : inputs) builder.Add(input);
    ASSERT_EQ(Write(Writes(builder.Build())).base_offset, Offset(offset));
    const RecordBatchView batch = OnlyBatch(Read(Reads(offset)));
    EXPECT_EQ(batch.compression(), codec);
    const auto records = Decompress(codec, batch.records(), 1 << 20);
    ASSERT_TRUE(records.ok());
    RecordWalker walker(batch, *records);
    RecordView record;
    for (const RecordInput& input : inputs) {
      ASSERT_TRUE(walker.Next(record));
      EXPECT_EQ(record.key, input.key);
      EXPECT_EQ(record.value, input.value);
      ASSERT_EQ(record.headers.size(), input.headers.size());
      for (size_t i = 0; i < input.headers.size(); ++i) {
        EXPECT_EQ(record.headers[i].key, input.headers[i].key);
        EXPECT_EQ(record.headers[i].value, input.headers[i].value);
      }
    }
    EXPECT_FALSE(walker.Next(record));
    EXPECT_TRUE(walker.ok());
    offset += static_cast<int64_t>(inputs.size());
  }
}

}  // namespace
}  // namespace quipu::kafka
