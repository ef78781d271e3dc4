// Goal: each codec reads what Kafka's clients may send, refuses what lies, and a batch keeps its
// records on its way from one codec to another.
#include "core/record/compression.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include <string>

#include "base/big_endian.h"
#include "core/record/record_batch_builder.h"

namespace quipu {
namespace {

std::string Block(const std::string& text) {
  std::string block;
  snappy::Compress(text.data(), text.size(), &block);
  return block;
}

ErrorCode ErrorOf(Compression codec, const std::string& data, size_t output_bytes_max = 1 << 20) {
  return CodeOf(Decompress(codec, data, output_bytes_max).status());
}

TEST(CompressionTest, NamesAreKafkas) {
  for (const Compression codec : kCodecs) EXPECT_EQ(CodecOf(CodecName(codec)), codec);
  EXPECT_EQ(CodecOf("brotli"), std::nullopt);
  EXPECT_FALSE(IsSupported(static_cast<Compression>(5)));
  EXPECT_EQ(CodecName(static_cast<Compression>(5)), "number 5");
  EXPECT_EQ(ErrorOf(static_cast<Compression>(5), "x"), ErrorCode::kUnsupportedCompressionType);
}

TEST(CompressionTest, TheSameDataGiveTheSameBytes) {
  const std::string text(100000, 'q');
  for (const Compression codec : kCodecs) EXPECT_EQ(Compress(codec, text), Compress(codec, text));
}

TEST(GzipTest, MembersMayFollowEachOther) {
  const std::string two = Compress(Compression::kGzip, "ab") + Compress(Compression::kGzip, "cd");
  EXPECT_EQ(Decompress(Compression::kGzip, two, 4).value(), "abcd");
  EXPECT_EQ(ErrorOf(Compression::kGzip, two, 3), ErrorCode::kMessageTooLarge);
}

TEST(GzipTest, ADamagedChecksumIsBroken) {
  std::string packed = Compress(Compression::kGzip, "payment");
  packed[packed.size() - 8] = static_cast<char>(packed[packed.size() - 8] ^ 1);
  EXPECT_EQ(ErrorOf(Compression::kGzip, packed), ErrorCode::kCorruptMessage);
}

TEST(GzipTest, ZlibsOtherFormatIsRefused) {
  EXPECT_EQ(ErrorOf(Compression::kGzip, std::string("\x78\x9c\x03\0\0\0\0\x01", 8)),
            ErrorCode::kCorruptMessage);
}

TEST(SnappyTest, IsFramedAsJavasClientsDo) {
  const std::string packed = Compress(Compression::kSnappy, std::string(40000, 'x'));
  EXPECT_EQ(packed.substr(0, 16), std::string("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
  // 32 KiB, then the rest.
  const auto first = LoadBigEndian<uint32_t>(packed.data() + 16);
  size_t size = 0;
  ASSERT_TRUE(snappy::GetUncompressedLength(packed.data() + 20, first, &size));
  EXPECT_EQ(size, 32768U);
  ASSERT_TRUE(snappy::GetUncompressedLength(packed.data() + 24 + first, 9, &size));
  EXPECT_EQ(size, 40000U - 32768U);
}

TEST(SnappyTest, ABareBlockIsReadAsWell) {
  EXPECT_EQ(Decompress(Compression::kSnappy, Block("payment"), 7).value(), "payment");
  EXPECT_EQ(ErrorOf(Compression::kSnappy, Block("payment"), 6), ErrorCode::kMessageTooLarge);
  EXPECT_EQ(ErrorOf(Compression::kSnappy, Block("payment") + "x"), ErrorCode::kCorruptMessage);
}

TEST(SnappyTest, FramesMayFollowEachOther) {
  const std::string two =
      Compress(Compression::kSnappy, "ab") + Compress(Compression::kSnappy, "cd");
  EXPECT_EQ(Decompress(Compression::kSnappy, two, 4).value(), "abcd");
}

// A block of a few bytes says that 4 GiB come out: refused before memory is asked for.
TEST(SnappyTest, AClaimThatCannotBeTrueIsRefused) {
  const std::string claim("\xff\xff\xff\xff\x0f\x00", 6);
  EXPECT_EQ(ErrorOf(Compression::kSnappy, claim, size_t{5} << 30), ErrorCode::kCorruptMessage);
}

TEST(SnappyTest, ANewerFrameIsRefused) {
  std::string packed = Compress(Compression::kSnappy, "payment");
  packed[15] = 2;
  EXPECT_EQ(ErrorOf(Compression::kSnappy, packed), ErrorCode::kCorruptMessage);
}

TEST(RecompressTest, RecordsAndHeaderStayFromEachCodecToEach) {
  for (const Compression from : kCodecs) {
    for (const Compression to : kCodecs) {
      RecordBatchOptions options;
      options.compression = from;
      options.producer_id = ProducerId(7);
      options.producer_epoch = ProducerEpoch(2);
      options.base_sequence = Sequence(40);
      RecordBatchBuilder builder(options);
      for (int i = 0; i < 50; ++i) {
        builder.Add({.timestamp = TimestampMs(1000 + i), .key = "account", .value = "payment"});
      }
      const RecordBatchView batch = RecordBatchView::Parse(builder.Build()).value();
      const Bytes bytes = RecompressBatch(batch, to, 1 << 20).value();
      const RecordBatchView again = RecordBatchView::Parse(bytes).value();
      EXPECT_EQ(again.size(), bytes.size());
      EXPECT_EQ(again.compression(), to);
      EXPECT_EQ(again.base_sequence(), Sequence(40));
      EXPECT_EQ(again.producer_id(), ProducerId(7));
      EXPECT_EQ(ValidateBatch(again, {.validate_compressed = true}).error, ErrorCode::kNone);
      const DecodedBatch decoded = DecodedBatch::Decode(again).value();
      ASSERT_EQ(decoded.records().size(), 50U);
      EXPECT_EQ(decoded.records()[49].timestamp, TimestampMs(1049));
    }
  }
}

TEST(RecompressTest, WhatTheLeaderHasStampedStays) {
  RecordBatchBuilder builder{RecordBatchOptions{.compression = Compression::kGzip}};
  builder.Add({.timestamp = TimestampMs(1), .key = "account", .value = "payment"});
  const RecordBatchView sent = RecordBatchView::Parse(builder.Build()).value();
  const Bytes stamped = StampBatch(sent, Offset(70), LeaderEpoch(3), TimestampMs(5000));
  const RecordBatchView batch = RecordBatchView::Parse(stamped).value();
  for (const Compression to : kCodecs) {
    const RecordBatchView again =
        RecordBatchView::Parse(RecompressBatch(batch, to, 1 << 20).value()).value();
    EXPECT_EQ(again.base_offset(), Offset(70));
    EXPECT_EQ(again.leader_epoch(), LeaderEpoch(3));
    EXPECT_EQ(again.timestamp_type(), TimestampType::kLogAppendTime) << CodecName(to);
    EXPECT_EQ(again.max_timestamp(), TimestampMs(5000));
  }
}

TEST(RecompressTest, ABombIsRefused) {
  RecordBatchOptions options;
  options.compression = Compression::kGzip;
  RecordBatchBuilder builder(options);
  builder.Add({.timestamp = TimestampMs(1), .value = std::string(1 << 20, '\0')});
  const RecordBatchView batch = RecordBatchView::Parse(builder.Build()).value();
  EXPECT_EQ(CodeOf(RecompressBatch(batch, Compression::kNone, 1 << 16).status()),
            ErrorCode::kMessageTooLarge);
}

}  // namespace
}  // namespace quipu
