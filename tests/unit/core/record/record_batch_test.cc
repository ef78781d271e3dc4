// Goal: parsing, validation and stamping refuse every broken batch by the right code and never read
// out of bounds. Method: one good batch, one thing broken at a time, CRC mended where the check
// lies behind it; then random damage.
#include "core/record/record_batch.h"

#include <string>

#include "base/rng.h"
#include "core/record/batch_layout.h"
#include "core/record/compression.h"
#include "core/record/record_batch_builder.h"
#include "core/record/varint.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

namespace layout = batch_layout;

constexpr TimestampMs kTime{1700000000000};

std::string MakeBatch(RecordBatchOptions options = {}, int count = 3) {
  RecordBatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    const std::string key = "key-" + std::to_string(i);
    const std::string value(100, static_cast<char>('a' + i % 26));
    builder.Add({.timestamp = kTime + i,
                 .key = key,
                 .value = value,
                 .headers = {{.key = "h", .value = std::nullopt}}});
  }
  return builder.Build().ToString();
}

RecordBatchView View(std::string text) {
  auto batch = RecordBatchView::Parse(Bytes(std::move(text)));
  EXPECT_TRUE(batch.ok()) << batch.status();
  return std::move(batch).value();
}

ErrorCode ParseError(std::string text) {
  return CodeOf(RecordBatchView::Parse(Bytes(std::move(text))).status());
}

// The good batch with one header field replaced and the CRC mended.
template <typename T>
std::string WithField(size_t position, T value, std::string text = MakeBatch()) {
  StoreBigEndian<T>(value, text.data() + position);
  layout::StoreCrc(text);
  return text;
}

ErrorCode Validate(std::string text, BatchLimits limits = {}) {
  return ValidateBatch(View(std::move(text)), limits).error;
}

// A batch around hand-made records.
std::string AroundRecords(const std::string& records, int32_t count, Compression codec) {
  std::string text = MakeBatch().substr(0, kRecordBatchHeaderBytes) + records;
  StoreBigEndian<int32_t>(static_cast<int32_t>(text.size() - kRecordBatchPrefixBytes),
                          text.data() + layout::kBatchLength);
  StoreBigEndian<int32_t>(count - 1, text.data() + layout::kLastOffsetDelta);
  StoreBigEndian<int32_t>(count, text.data() + layout::kRecordCount);
  StoreBigEndian<int64_t>(kTime.value(), text.data() + layout::kMaxTimestamp);
  StoreBigEndian<int16_t>(static_cast<int16_t>(codec), text.data() + layout::kAttributes);
  layout::StoreCrc(text);
  return text;
}

// One record of zigzag fields; the length in front is right.
std::string RecordOf(const std::vector<int64_t>& fields) {
  std::string body(1, '\0');
  for (const int64_t field : fields) AppendVarint(body, field);
  std::string record;
  AppendVarint(record, static_cast<int64_t>(body.size()));
  return record + body;
}

TEST(RecordBatchParseTest, RefusesEveryTruncation) {
  const std::string text = MakeBatch();
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(ParseError(text.substr(0, size)), ErrorCode::kCorruptMessage) << size;
  }
}

TEST(RecordBatchParseTest, RefusesAnotherMagic) {
  EXPECT_EQ(ParseError(WithField<int8_t>(layout::kMagic, 1)),
            ErrorCode::kUnsupportedForMessageFormat);
}

TEST(RecordBatchParseTest, RefusesImpossibleNumbers) {
  EXPECT_EQ(ParseError(WithField<int32_t>(layout::kBatchLength, -1)), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int32_t>(layout::kBatchLength, 48)), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int32_t>(layout::kBatchLength, INT32_MAX)),
            ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int32_t>(layout::kLastOffsetDelta, -1)),
            ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int32_t>(layout::kRecordCount, -1)), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int32_t>(layout::kRecordCount, 4)), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int64_t>(layout::kBaseOffset, -1)), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ParseError(WithField<int64_t>(layout::kBaseOffset, INT64_MAX)),
            ErrorCode::kCorruptMessage);
}

TEST(RecordBatchParseTest, TakesOnlyItsOwnBytes) {
  const std::string text = MakeBatch();
  EXPECT_EQ(View(text + "more").size(), text.size());
}

TEST(SplitBatchesTest, GivesEachBatchInOrder) {
  const std::string one = MakeBatch({.base_offset = Offset(0)}, 2);
  const std::string two = MakeBatch({.base_offset = Offset(2)}, 5);
  const auto batches = SplitBatches(Bytes(one + two));
  ASSERT_TRUE(batches.ok());
  ASSERT_EQ(batches->size(), 2U);
  EXPECT_EQ((*batches)[0].end_offset(), Offset(2));
  EXPECT_EQ((*batches)[1].base_offset(), Offset(2));
  EXPECT_EQ((*batches)[1].last_offset(), Offset(6));
}

TEST(SplitBatchesTest, RefusesAPartialBatchAtTheEnd) {
  const std::string one = MakeBatch();
  EXPECT_EQ(CodeOf(SplitBatches(Bytes(one + one.substr(0, 50))).status()),
            ErrorCode::kCorruptMessage);
}

TEST(SplitBatchesTest, NothingIsNoBatch) { EXPECT_TRUE(SplitBatches(Bytes()).value().empty()); }

TEST(ValidateBatchTest, AcceptsAGoodBatchOfEveryCodec) {
  for (const Compression codec : kCodecs) {
    EXPECT_EQ(Validate(MakeBatch({.compression = codec}), {.validate_compressed = true}),
              ErrorCode::kNone);
  }
}

TEST(ValidateBatchTest, RefusesABatchOverTheLimit) {
  const std::string text = MakeBatch();
  EXPECT_EQ(Validate(text, {.batch_bytes_max = text.size()}), ErrorCode::kNone);
  EXPECT_EQ(Validate(text, {.batch_bytes_max = text.size() - 1}), ErrorCode::kMessageTooLarge);
}

TEST(ValidateBatchTest, SeesEveryFlippedBitBehindTheCrc) {
  const std::string good = MakeBatch();
  for (size_t i = layout::kAttributes; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    const auto batch = RecordBatchView::Parse(Bytes(bad));
    if (!batch.ok()) continue;
    EXPECT_EQ(ValidateBatch(*batch, {}).error, ErrorCode::kCorruptMessage) << i;
  }
}

TEST(ValidateBatchTest, RefusesCodecsThatItCannotRead) {
  for (const int codec : {5, 6, 7}) {
    EXPECT_EQ(Validate(WithField<int16_t>(layout::kAttributes, static_cast<int16_t>(codec))),
              ErrorCode::kUnsupportedCompressionType)
        << codec;
  }
}

TEST(ValidateBatchTest, RefusesBitsThatAreNotAProducers) {
  for (const int bit : {3, 4, 5, 6, 7, 14, 15}) {
    const auto bits = static_cast<uint16_t>(1U << static_cast<unsigned>(bit));
    EXPECT_EQ(Validate(WithField<uint16_t>(layout::kAttributes, bits)), ErrorCode::kInvalidRecord)
        << bit;
  }
}

TEST(ValidateBatchTest, RefusesCountsThatDoNotMatch) {
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kLastOffsetDelta, 3)), ErrorCode::kInvalidRecord);
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kRecordCount, 2)), ErrorCode::kInvalidRecord);
  std::string fewer = WithField<int32_t>(layout::kRecordCount, 2);
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kLastOffsetDelta, 1, fewer)),
            ErrorCode::kInvalidRecord);
  std::string more = WithField<int32_t>(layout::kLastOffsetDelta, 3);
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kRecordCount, 4, more)), ErrorCode::kInvalidRecord);
  std::string huge = WithField<int32_t>(layout::kLastOffsetDelta, INT32_MAX);
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kRecordCount, INT32_MAX, huge)),
            ErrorCode::kInvalidRecord);
}

TEST(ValidateBatchTest, RefusesAnEmptyBatch) {
  std::string text = AroundRecords("", 1, Compression::kNone);
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kRecordCount, 0, text)), ErrorCode::kInvalidRecord);
}

TEST(ValidateBatchTest, RefusesAbsurdTimestamps) {
  for (const int64_t base : {int64_t{-2}, INT64_MAX}) {
    EXPECT_EQ(Validate(WithField<int64_t>(layout::kBaseTimestamp, base)),
              ErrorCode::kInvalidTimestamp)
        << base;
  }
  EXPECT_EQ(Validate(WithField<int64_t>(layout::kMaxTimestamp, INT64_MIN)),
            ErrorCode::kInvalidTimestamp);
  const std::string below = RecordOf({-kTime.value() - 2, 0, -1, -1, 0});
  EXPECT_EQ(Validate(AroundRecords(below, 1, Compression::kNone)), ErrorCode::kInvalidTimestamp);
}

TEST(ValidateBatchTest, RefusesHalfAProducer) {
  const RecordBatchOptions producer{.producer_id = ProducerId(5),
                                    .producer_epoch = ProducerEpoch(0),
                                    .base_sequence = Sequence(0)};
  EXPECT_EQ(Validate(MakeBatch(producer)), ErrorCode::kNone);
  EXPECT_EQ(Validate(WithField<int16_t>(layout::kProducerEpoch, -1, MakeBatch(producer))),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(Validate(WithField<int32_t>(layout::kBaseSequence, -1, MakeBatch(producer))),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(Validate(WithField<int64_t>(layout::kProducerId, -2, MakeBatch(producer))),
            ErrorCode::kInvalidRecord);
}

TEST(ValidateBatchTest, RefusesBrokenRecords) {
  // Fields: timestamp delta, offset delta, key length, value length, header count.
  const std::string good = RecordOf({0, 0, -1, -1, 0});
  const std::vector<std::string> broken = {
      good + "x",                           // trailing bytes
      RecordOf({0, 1, -1, -1, 0}),          // offsets do not start at 0
      RecordOf({0, -1, -1, -1, 0}),         // negative offset delta
      RecordOf({0, 0, -2, -1, 0}),          // negative key length
      RecordOf({0, 0, -1, -2, 0}),          // negative value length
      RecordOf({0, 0, 100, -1, 0}),         // key longer than the record
      RecordOf({0, 0, -1, -1, -1}),         // negative header count
      RecordOf({0, 0, -1, -1, INT32_MAX}),  // more headers than bytes
      RecordOf({0, 0, -1, -1, 1}),          // header missing
      RecordOf({0, 0, -1, -1, 1, -1, -1}),  // null header key
      RecordOf({0, 0, -1, -1, 0, 0}),       // bytes left inside the record
      RecordOf({INT64_MAX, 0, -1, -1, 0}),  // timestamp overflows
      std::string("\x00", 1),
      std::string("\x01", 1),                             // length 0, length -1
      std::string("\xff\xff\xff\xff\xff\xff\xff\x01", 8)  // varint too long
  };
  EXPECT_EQ(Validate(AroundRecords(good, 1, Compression::kNone)), ErrorCode::kNone);
  for (size_t i = 0; i < broken.size(); ++i) {
    EXPECT_EQ(Validate(AroundRecords(broken[i], 1, Compression::kNone)), ErrorCode::kInvalidRecord)
        << i;
    EXPECT_EQ(
        Validate(AroundRecords(Compress(Compression::kZstd, broken[i]), 1, Compression::kZstd),
                 {.validate_compressed = true}),
        ErrorCode::kInvalidRecord)
        << i;
  }
}

TEST(ValidateBatchTest, RefusesGapsBetweenOffsets) {
  const std::string records =
      RecordOf({0, 0, -1, -1, 0}) + RecordOf({0, 2, -1, -1, 0}) + RecordOf({0, 2, -1, -1, 0});
  EXPECT_EQ(Validate(AroundRecords(records, 3, Compression::kNone)), ErrorCode::kInvalidRecord);
}

TEST(ValidateBatchTest, LooksIntoCompressedRecordsOnlyWhenAsked) {
  const std::string text = AroundRecords("not an lz4 frame", 1, Compression::kLz4);
  EXPECT_EQ(Validate(text), ErrorCode::kNone);
  EXPECT_EQ(Validate(text, {.validate_compressed = true}), ErrorCode::kCorruptMessage);
}

TEST(ValidateBatchTest, RefusesAZstdWindowThatTheLimitDoesNotNeed) {
  // Magic, a descriptor without content size, window descriptor 0x88: 2^27 bytes; one empty block.
  const std::string frame("\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", 9);
  EXPECT_EQ(Validate(AroundRecords(frame, 1, Compression::kZstd), {.validate_compressed = true}),
            ErrorCode::kCorruptMessage);
}

TEST(StampBatchTest, StampsOffsetAndEpochAndKeepsTheCrc) {
  const RecordBatchView batch = View(MakeBatch());
  const RecordBatchView stamped =
      View(StampBatch(batch, Offset(1000), LeaderEpoch(7), std::nullopt).ToString());
  EXPECT_EQ(stamped.base_offset(), Offset(1000));
  EXPECT_EQ(stamped.last_offset(), Offset(1002));
  EXPECT_EQ(stamped.leader_epoch(), LeaderEpoch(7));
  EXPECT_EQ(stamped.crc(), batch.crc());
  EXPECT_TRUE(stamped.CrcMatches());
}

TEST(StampBatchTest, LogAppendTimeIsTheTimeOfEveryRecord) {
  const RecordBatchView stamped =
      View(StampBatch(View(MakeBatch()), Offset(0), LeaderEpoch(0), kTime + 99).ToString());
  EXPECT_TRUE(stamped.CrcMatches());
  EXPECT_EQ(stamped.timestamp_type(), TimestampType::kLogAppendTime);
  const DecodedBatch decoded = DecodedBatch::Decode(stamped).value();
  for (const RecordView& record : decoded.records()) EXPECT_EQ(record.timestamp, kTime + 99);
}

// What a leader stores of a batch of `text` in a topic with create times.
RecordBatchView Stored(std::string text) {
  const RecordBatchView batch = View(std::move(text));
  const BatchVerdict verdict = ValidateBatch(batch, {});
  EXPECT_EQ(verdict.error, ErrorCode::kNone);
  return View(StampBatch(batch, Offset(5), LeaderEpoch(1), std::nullopt, verdict.max_create_time)
                  .ToString());
}

// The records' times are kTime, +1 and +2.
TEST(StampBatchTest, TheMaxTimestampIsTheNewestRecordsWhateverTheProducerSays) {
  for (const int64_t told : {int64_t{-1}, int64_t{0}, kTime.value(), kTime.value() + 3}) {
    SCOPED_TRACE(told);
    const RecordBatchView stored = Stored(WithField<int64_t>(layout::kMaxTimestamp, told));
    EXPECT_EQ(stored.max_timestamp(), kTime + 2);
    EXPECT_EQ(stored.timestamp_type(), TimestampType::kCreateTime);
    EXPECT_TRUE(stored.CrcMatches());
  }
}

// kafkajs tells the times of those messages alone that the application gave one.
TEST(StampBatchTest, TheMaxTimestampIsOfRecordsThatAreOlderThanTheBaseToo) {
  const std::string records = RecordOf({-7, 0, -1, -1, 0}) + RecordOf({50, 1, -1, -1, 0});
  const RecordBatchView stored = Stored(WithField<int64_t>(
      layout::kMaxTimestamp, kTime.value(), AroundRecords(records, 2, Compression::kNone)));
  EXPECT_EQ(stored.max_timestamp(), kTime + 50);
}

// What librdkafka makes of records without a time.
std::string MakeTimelessBatch(int64_t max_timestamp, Compression codec) {
  RecordBatchBuilder builder({.compression = codec});
  for (int i = 0; i < 2; ++i) builder.Add({.timestamp = kNoTimestamp, .key = "k", .value = "v"});
  return WithField<int64_t>(layout::kMaxTimestamp, max_timestamp, builder.Build().ToString());
}

TEST(StampBatchTest, TakesAwayAMaxTimestampThatNoRecordHas) {
  for (const Compression codec : {Compression::kNone, Compression::kLz4}) {
    for (const int64_t told : {int64_t{0}, int64_t{-1}, kTime.value()}) {
      const RecordBatchView stored = Stored(MakeTimelessBatch(told, codec));
      EXPECT_EQ(stored.max_timestamp(), kNoTimestamp);
      EXPECT_TRUE(stored.CrcMatches());
    }
  }
}

TEST(StampBatchTest, LooksIntoACompressedBatchWhoseMaxTimestampCannotBeTrue) {
  for (const int64_t told : {int64_t{-1}, int64_t{0}, kTime.value() - 1}) {
    SCOPED_TRACE(told);
    const std::string text = WithField<int64_t>(layout::kMaxTimestamp, told,
                                                MakeBatch({.compression = Compression::kLz4}));
    const RecordBatchView stored = Stored(text);
    EXPECT_EQ(stored.max_timestamp(), kTime + 2);
    EXPECT_TRUE(stored.CrcMatches());
    EXPECT_EQ(Validate(text, {.decompressed_bytes_max = 8}), ErrorCode::kMessageTooLarge);
  }
}

TEST(StampBatchTest, AMaxTimestampThatMayBeTrueIsCorrectedInACompressedBatchOnlyWhenAsked) {
  const RecordBatchView batch = View(WithField<int64_t>(
      layout::kMaxTimestamp, kTime.value(), MakeBatch({.compression = Compression::kLz4})));
  EXPECT_EQ(ValidateBatch(batch, {}).max_create_time, std::nullopt);
  EXPECT_EQ(ValidateBatch(batch, {.validate_compressed = true}).max_create_time, kTime + 2);
}

TEST(DecodedBatchTest, ViewsOutliveBatchAndCopies) {
  for (const Compression codec : kCodecs) {
    DecodedBatch copy;
    {
      const DecodedBatch decoded =
          DecodedBatch::Decode(View(MakeBatch({.compression = codec}))).value();
      copy = decoded;
    }
    ASSERT_EQ(copy.records().size(), 3U);
    EXPECT_EQ(copy.records()[2].key, "key-2");
    EXPECT_EQ(copy.records()[2].headers[0].key, "h");
  }
}

TEST(DecodedBatchTest, ReadsBatchesWithGaps) {
  const std::string records = RecordOf({0, 1, -1, -1, 0}) + RecordOf({0, 4, -1, -1, 0});
  std::string text = AroundRecords(records, 2, Compression::kNone);
  text = WithField<int32_t>(layout::kLastOffsetDelta, 5, text);
  const DecodedBatch decoded = DecodedBatch::Decode(View(text)).value();
  ASSERT_EQ(decoded.records().size(), 2U);
  EXPECT_EQ(decoded.records()[1].offset, Offset(4));
}

TEST(DecodedBatchTest, StopsAtTheCapOfABomb) {
  for (const Compression codec : kCodecs) {
    if (codec == Compression::kNone) continue;
    const std::string bomb = Compress(codec, std::string(size_t{8} << 20, '\0'));
    ASSERT_LT(bomb.size(), size_t{512} << 10);
    const RecordBatchView batch = View(AroundRecords(bomb, 1, codec));
    EXPECT_EQ(CodeOf(DecodedBatch::Decode(batch, size_t{1} << 20).status()),
              ErrorCode::kMessageTooLarge);
  }
}

TEST(CompressionTest, OutputOfExactlyTheCapIsAllowed) {
  Rng rng(5);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16384}, size_t{70000}}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(rng.Below(4));
    for (const Compression codec : kCodecs) {
      const std::string packed = Compress(codec, text);
      EXPECT_EQ(Decompress(codec, packed, size).value(), text);
      if (size == 0) continue;
      EXPECT_EQ(CodeOf(Decompress(codec, packed, size - 1).status()), ErrorCode::kMessageTooLarge);
    }
  }
}

TEST(CompressionTest, RefusesTruncationAndTrailingBytes) {
  const std::string text(5000, 'x');
  for (const Compression codec : kCodecs) {
    if (codec == Compression::kNone) continue;
    const std::string packed = Compress(codec, text);
    for (size_t size = 0; size < packed.size(); ++size) {
      // A snappy frame that ends behind its header or a block is whole.
      if (codec == Compression::kSnappy && size == 16) continue;
      EXPECT_EQ(CodeOf(Decompress(codec, packed.substr(0, size), 1 << 20).status()),
                ErrorCode::kCorruptMessage)
          << size;
    }
    EXPECT_EQ(CodeOf(Decompress(codec, packed + "x", 1 << 20).status()),
              ErrorCode::kCorruptMessage);
  }
}

TEST(BuilderTest, SizeIsKnownBeforeBuilding) {
  RecordBatchBuilder builder({});
  EXPECT_TRUE(builder.empty());
  size_t bound = builder.size_bytes();
  for (int i = 0; i < 50; ++i) {
    const RecordInput input{.timestamp = kTime - i, .key = "k", .value = "some value"};
    bound += RecordBatchBuilder::SizeUpperBound(input);
    builder.Add(input);
    EXPECT_LE(builder.size_bytes(), bound);
  }
  EXPECT_EQ(builder.record_count(), 50);
  const size_t size = builder.size_bytes();
  EXPECT_EQ(builder.Build().size(), size);
}

TEST(BuilderTest, ProducerMayBeSetLateAndChanged) {
  RecordBatchBuilder builder({});
  builder.Add({.timestamp = kTime, .key = "k"});
  builder.Add({.timestamp = kTime, .key = "k"});
  builder.SetProducer(ProducerId(8), ProducerEpoch(2), Sequence(INT32_MAX));
  const RecordBatchView batch = View(builder.Build().ToString());
  EXPECT_EQ(batch.producer_id(), ProducerId(8));
  EXPECT_EQ(batch.last_sequence(), Sequence(0));  // wraps
  const RecordBatchView raised =
      View(WithProducer(batch, ProducerId(8), ProducerEpoch(3), Sequence(0)).ToString());
  EXPECT_EQ(raised.producer_epoch(), ProducerEpoch(3));
  EXPECT_EQ(raised.last_sequence(), Sequence(1));
  EXPECT_TRUE(raised.CrcMatches());
  EXPECT_EQ(ValidateBatch(raised, {}).error, ErrorCode::kNone);
}

TEST(BuilderTest, ControlBatchesAreMarked) {
  const RecordBatchView batch = View(MakeBatch({.control = true}));
  EXPECT_TRUE(batch.is_control());
  EXPECT_FALSE(batch.is_transactional());
  EXPECT_EQ(batch.last_sequence(), kNoSequence);
}

TEST(VarintTest, RoundTripsTheExtremes) {
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{63}, int64_t{-64}, int64_t{64},
        int64_t{INT32_MIN}, int64_t{INT32_MAX}, INT64_MIN, INT64_MAX}) {
    std::string text;
    AppendVarint(text, value);
    EXPECT_EQ(text.size(), VarintSize(value));
    RecordCursor cursor(text);
    EXPECT_EQ(cursor.ReadVarint64(), value);
    EXPECT_FALSE(cursor.failed());
    EXPECT_TRUE(cursor.rest().empty());
  }
}

TEST(VarintTest, RefusesNumbersThatDoNotFit) {
  std::string text;
  AppendVarint(text, int64_t{INT32_MAX} + 1);
  RecordCursor narrow(text);
  narrow.ReadVarint32();
  EXPECT_TRUE(narrow.failed());
  RecordCursor wide(absl::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  wide.ReadVarint64();
  EXPECT_TRUE(wide.failed());
}

// Whatever the damage, decoding ends with a result or an error.
TEST(RecordBatchDamageTest, NeverReadsOutOfBounds) {
  Rng rng(6);
  for (int round = 0; round < 20000; ++round) {
    std::string text = MakeBatch({.compression = kCodecs[rng.Below(5)]}, 1 + round % 3);
    for (uint64_t i = 0, n = 1 + rng.Below(4); i < n; ++i) {
      text[rng.Below(text.size())] = static_cast<char>(rng.Below(256));
    }
    if (rng.Chance(1, 2)) layout::StoreCrc(text);
    if (rng.Chance(1, 4)) text.resize(rng.Below(text.size()) + 1);
    const auto batch = RecordBatchView::Parse(Bytes(text));
    if (!batch.ok()) continue;
    const BatchVerdict verdict = ValidateBatch(*batch, {.validate_compressed = true});
    const auto decoded = DecodedBatch::Decode(*batch, 1 << 20);
    if (verdict.error == ErrorCode::kNone) {
      EXPECT_TRUE(decoded.ok());
      StampBatch(*batch, Offset(0), LeaderEpoch(0), std::nullopt, verdict.max_create_time);
    }
  }
}

}  // namespace
}  // namespace quipu
