// Goal: compression.type of a topic. Whatever a producer sends, the replicas hold the topic's
// codec; sequence numbers and an answer given again are those of the batch as it was sent. Method:
// three replicas wired by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/big_endian.h"
#include "core/record/batch_layout.h"
#include "core/record/compression.h"
#include "core/record/record_batch_builder.h"
#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {
namespace {

Bytes BatchOf(Compression codec, const std::string& value, int32_t sequence) {
  RecordBatchOptions options;
  options.compression = codec;
  options.producer_id = ProducerId(7);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = Sequence(sequence);
  RecordBatchBuilder builder(options);
  builder.Add({.timestamp = TimestampMs{1}, .value = absl::string_view(value)});
  return builder.Build();
}

class LeaderCompressionTest : public ::testing::Test {
 protected:
  explicit LeaderCompressionTest(Compression codec = Compression::kGzip)
      : c_({.config = {.message_bytes_max = 1000, .compression = codec}}) {
    c_.Elect(1);
    c_.Settle();
  }
  ProduceReply Produce(const Bytes& bytes) {
    const ReplyToken token = c_.ProduceBytes(1, bytes);
    c_.Settle();
    return c_.Reply(token).value();
  }
  ReplicaCluster c_;
};

TEST_F(LeaderCompressionTest, BatchesAreStoredInTheTopicsCodec) {
  int32_t sequence = 0;
  for (const Compression codec : kCodecs) {
    EXPECT_EQ(Produce(BatchOf(codec, "payment", sequence++)).error, ErrorCode::kNone);
  }
  const ProduceReply again = Produce(BatchOf(Compression::kNone, "payment", 0));
  EXPECT_EQ(again.error, ErrorCode::kNone);
  EXPECT_EQ(again.base_offset, Offset(0));
  EXPECT_EQ(c_.End(1), 5);
  ASSERT_EQ(c_.node(3).disk.synced().size(), 5U);
  for (const StoredBatch& stored : c_.node(3).disk.synced()) {
    const RecordBatchView batch = RecordBatchView::Parse(stored.bytes).value();
    EXPECT_EQ(batch.compression(), Compression::kGzip);
    EXPECT_EQ(batch.producer_id(), ProducerId(7));
    EXPECT_EQ(DecodedBatch::Decode(batch).value().records()[0].value, "payment");
  }
}

TEST_F(LeaderCompressionTest, BrokenCompressedRecordsAreRefused) {
  std::string broken = BatchOf(Compression::kLz4, "payment", 0).ToString();
  broken[kRecordBatchHeaderBytes] = 0;
  batch_layout::StoreCrc(broken);
  EXPECT_EQ(Produce(Bytes(broken)).error, ErrorCode::kCorruptMessage);
  EXPECT_EQ(c_.End(1), 0);
}

TEST_F(LeaderCompressionTest, ACoordinatorsBatchStaysAsItIs) {
  const ReplyToken token =
      c_.ProduceBytes(1, BatchOf(Compression::kNone, "commit", 0), -1, /*from_coordinator=*/true);
  c_.Settle();
  EXPECT_EQ(c_.Reply(token)->error, ErrorCode::kNone);
  EXPECT_EQ(RecordBatchView::Parse(c_.node(3).disk.synced()[0].bytes)->compression(),
            Compression::kNone);
}

TEST_F(LeaderCompressionTest, AMaximumTimestampThatIsUnsetIsThatOfTheRecords) {
  RecordBatchBuilder builder{RecordBatchOptions{}};
  builder.Add({.timestamp = TimestampMs{100}, .value = absl::string_view("a")});
  builder.Add({.timestamp = TimestampMs{200}, .value = absl::string_view("b")});
  std::string unset = builder.Build().ToString();
  StoreBigEndian<int64_t>(-1, unset.data() + batch_layout::kMaxTimestamp);
  batch_layout::StoreCrc(unset);
  EXPECT_EQ(Produce(Bytes(unset)).error, ErrorCode::kNone);
  const auto stored = RecordBatchView::Parse(c_.node(3).disk.synced()[0].bytes);
  EXPECT_EQ(stored->compression(), Compression::kGzip);
  EXPECT_EQ(stored->max_timestamp(), TimestampMs(200));
}

class UncompressedTopicTest : public LeaderCompressionTest {
 protected:
  UncompressedTopicTest() : LeaderCompressionTest(Compression::kNone) {}
};

TEST_F(UncompressedTopicTest, ABatchThatGrowsBeyondTheLimitIsRefused) {
  const ProduceReply reply = Produce(BatchOf(Compression::kZstd, std::string(5000, 'x'), 0));
  EXPECT_EQ(reply.error, ErrorCode::kMessageTooLarge);
  EXPECT_THAT(reply.message, testing::HasSubstr("compression.type=none"));
  EXPECT_EQ(c_.End(1), 0);
  EXPECT_EQ(Produce(BatchOf(Compression::kZstd, "payment", 0)).base_offset, Offset(0));
}

}  // namespace
}  // namespace quipu
