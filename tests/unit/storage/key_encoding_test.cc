// Goal: keys sort as their numbers do, and no damaged value is ever taken for a sound one.
// Method: encode, compare or damage, decode.
#include "storage/key_encoding.h"

#include <limits>
#include <string>
#include <vector>

#include "core/record/record_batch_builder.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

std::string Text(absl::string_view view) { return std::string(view); }

TEST(KeyEncodingTest, LogKeysSortByLogAndOffset) {
  const std::vector<std::string> keys = {Text(EncodeLogKey(LogId(1), Offset(0)).view()),
                                         Text(EncodeLogKey(LogId(1), Offset(255)).view()),
                                         Text(EncodeLogKey(LogId(1), Offset(256)).view()),
                                         Text(EncodeLogKey(LogId(1), Offset::Max()).view()),
                                         Text(EncodeLogRange(LogId(2)).view()),
                                         Text(EncodeLogKey(LogId(2), Offset(0)).view()),
                                         Text(EncodeLogKey(LogId(256), Offset(0)).view())};
  for (size_t i = 1; i < keys.size(); ++i) EXPECT_LT(keys[i - 1], keys[i]) << i;
}

TEST(KeyEncodingTest, TimeIndexKeysSortByTimeAlsoBelowZero) {
  const auto key = [](int64_t time, int64_t offset) {
    return Text(
        EncodeTimeIndexKey(
            {.log_id = LogId(1), .running_max = TimestampMs(time), .last_offset = Offset(offset)})
            .view());
  };
  EXPECT_LT(key(-1, 9), key(0, 1));
  EXPECT_LT(key(0, 1), key(0, 2));
  EXPECT_LT(key(0, 2), key(5, 0));
  EXPECT_LT(key(5, 0), key(std::numeric_limits<int64_t>::max(), 0));
}

TEST(KeyEncodingTest, TimeIndexKeyComesBack) {
  const auto key = EncodeTimeIndexKey(
      {.log_id = LogId(3), .running_max = TimestampMs(-1), .last_offset = Offset(77)});
  const auto decoded = DecodeTimeIndexKey(key.view());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->log_id, LogId(3));
  EXPECT_EQ(decoded->running_max, TimestampMs(-1));
  EXPECT_EQ(decoded->last_offset, Offset(77));
}

TEST(KeyEncodingTest, EpochKeysSortByEpochAlsoBelowZero) {
  const auto key = [](int32_t epoch) {
    return Text(EncodeEpochKey(LogId(1), LeaderEpoch(epoch)).view());
  };
  EXPECT_LT(key(-1), key(0));
  EXPECT_LT(key(0), key(1));
  EXPECT_LT(key(255), key(256));
  EXPECT_EQ(DecodeEpochKey(key(-1))->epoch, LeaderEpoch(-1));
}

TEST(KeyEncodingTest, KeysOfOneKindAreNotDecodedAsAnother) {
  EXPECT_FALSE(DecodePartitionKey(EncodeDroppedLogKey(LogId(1)).view()).has_value());
  EXPECT_FALSE(DecodeDroppedLogKey(EncodePartitionKey(PartitionUid(1)).view()).has_value());
  EXPECT_FALSE(DecodeLogKey(EncodeLogRange(LogId(1)).view()).has_value());
}

// What is decoded must be fit to be encoded again, as is done when old snapshots are dropped.
TEST(KeyEncodingTest, KeysWithOffsetsBelowZeroAreRefused) {
  std::string snapshot(EncodeProducerSnapshotKey(LogId(1), Offset(5)).view());
  ASSERT_TRUE(DecodeProducerSnapshotKey(snapshot).has_value());
  snapshot[9] = '\x80';
  EXPECT_FALSE(DecodeProducerSnapshotKey(snapshot).has_value());
  std::string batch(EncodeLogKey(LogId(1), Offset(5)).view());
  ASSERT_TRUE(DecodeLogKey(batch).has_value());
  batch[8] = '\x80';
  EXPECT_FALSE(DecodeLogKey(batch).has_value());
}

TEST(KeyEncodingTest, FirstBytesOfKeysAreTheDocumentedOnes) {
  EXPECT_EQ(EncodePartitionKey(PartitionUid(0x0102)).view(),
            absl::string_view("P\0\0\0\0\0\0\x01\x02", 9));
  EXPECT_EQ(EncodeLogKey(LogId(1), Offset(2)).view(),
            absl::string_view("\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02", 16));
}

// Every single bit of `bytes` flipped must be refused by `decodes`.
template <typename Decodes>
void ExpectDamageIsFound(const std::string& bytes, Decodes decodes) {
  ASSERT_TRUE(decodes(bytes));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decodes(damaged)) << "bit " << bit;
  }
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decodes(bytes.substr(0, length))) << "length " << length;
  }
}

TEST(KeyEncodingTest, DamagedPartitionStateIsRefused) {
  ExpectDamageIsFound(EncodePartitionValue({.log_id = LogId(1), .state = {}}),
                      [](const std::string& b) { return DecodePartitionValue(b).has_value(); });
}

TEST(KeyEncodingTest, DamagedHardStateIsRefused) {
  ExpectDamageIsFound(
      EncodeHardState({.term = Term(3), .voted_for = ControllerId(1), .voted_directory = {}}),
      [](const std::string& b) { return DecodeHardState(b).has_value(); });
}

TEST(KeyEncodingTest, DamagedRaftEntryIsRefused) {
  message::RaftEntry entry;
  entry.set_index(5);
  entry.set_term(2);
  entry.set_data("payment");
  ExpectDamageIsFound(EncodeRaftEntry(entry),
                      [](const std::string& b) { return DecodeRaftEntry(b).has_value(); });
}

TEST(KeyEncodingTest, ProducerSnapshotComesBack) {
  const ProducerSnapshot snapshot{
      .as_of = Offset(100),
      .producers = {{.producer_id = ProducerId(1),
                     .producer_epoch = ProducerEpoch(2),
                     .last_timestamp = TimestampMs(3),
                     .batches = {{Sequence(4), Sequence(5), Offset(6), Offset(7), TimestampMs(8)},
                                 {Sequence(6), Sequence(6), Offset(8), Offset(8), TimestampMs(9)}}},
                    {.producer_id = ProducerId(9),
                     .producer_epoch = ProducerEpoch(0),
                     .last_timestamp = TimestampMs(1),
                     .batches = {}}}};
  EXPECT_EQ(DecodeProducerSnapshot(EncodeProducerSnapshot(snapshot)), snapshot);
}

TEST(KeyEncodingTest, DamagedProducerSnapshotIsRefused) {
  ExpectDamageIsFound(EncodeProducerSnapshot({.as_of = Offset(1), .producers = {{}}}),
                      [](const std::string& b) { return DecodeProducerSnapshot(b).has_value(); });
}

TEST(KeyEncodingTest, ValueOfAnotherVersionIsRefused) {
  std::string bytes = EncodeNextLogId(LogId(5));
  bytes[0] = 2;
  EXPECT_FALSE(DecodeNextLogId(bytes).has_value());
}

TEST(KeyEncodingTest, BatchChecksumCoversWhatTheBatchCrcDoesNot) {
  RecordBatchBuilder builder({.base_offset = Offset(5), .leader_epoch = LeaderEpoch(3)});
  builder.Add({.timestamp = TimestampMs(1), .key = {}, .value = {}, .headers = {}});
  const Bytes batch = builder.Build();
  const std::string value = Text(EncodeBatchChecksum(batch.view()).view()) + batch.ToString();
  EXPECT_TRUE(BatchChecksumMatches(value));
  for (size_t byte = 0; byte < kBatchChecksumBytes + 21; ++byte) {
    std::string damaged = value;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 1);
    EXPECT_FALSE(BatchChecksumMatches(damaged)) << byte;
  }
}

}  // namespace
}  // namespace quipu
