// Goal: a batch of an idempotent producer is stored once and in order, whatever is retried.
// Method: the table alone; batches are replayed at made-up offsets.
#include "core/replication/producer_table.h"

#include <gtest/gtest.h>

#include "core/replication/producer_codec.h"
#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {
namespace {

class ProducerTableTest : public ::testing::Test {
 protected:
  static RecordBatchView Batch(int32_t sequence, int count = 1, int16_t epoch = 0,
                               int64_t producer = 9) {
    return *RecordBatchView::Parse(MakeBatch(
        {.producer_id = producer, .producer_epoch = epoch, .sequence = sequence, .count = count}));
  }
  void Store(const RecordBatchView& batch) {
    table_.ReplayAt(batch, end_);
    end_ += batch.record_count();
    table_.CheckInvariants(end_);
  }
  ErrorCode Check(const RecordBatchView& batch) const { return table_.Check(batch).error; }

  ProducerTable table_{3};
  Offset end_{100};
};

TEST_F(ProducerTableTest, WithoutStateOnlySequenceZeroIsTaken) {
  EXPECT_EQ(Check(Batch(1)), ErrorCode::kUnknownProducerId);
  EXPECT_EQ(Check(Batch(0)), ErrorCode::kNone);
}

TEST_F(ProducerTableTest, ADuplicateIsAnsweredWithItsFirstOffset) {
  Store(Batch(0, 3));
  Store(Batch(3, 2));
  const auto verdict = table_.Check(Batch(0, 3));
  EXPECT_EQ(verdict.error, ErrorCode::kNone);
  EXPECT_EQ(verdict.duplicate_of->base_offset, Offset{100});
  EXPECT_EQ(verdict.duplicate_of->last_offset, Offset{102});
}

TEST_F(ProducerTableTest,
       AsManyAreRememberedAsMayBeInFlightAndOlderOnesAreDuplicatesWithoutOffset) {
  for (size_t i = 0; i <= kProducerBatchesMax; ++i) Store(Batch(static_cast<int32_t>(i)));
  EXPECT_EQ(table_.Check(Batch(1)).duplicate_of->base_offset, Offset{101});
  EXPECT_EQ(Check(Batch(0)), ErrorCode::kDuplicateSequence);
}

TEST_F(ProducerTableTest, AGapIsRefused) {
  Store(Batch(0, 3));
  EXPECT_EQ(Check(Batch(4)), ErrorCode::kOutOfOrderSequence);
}

TEST_F(ProducerTableTest, ABatchThatCutsAcrossStoredOnesIsRefused) {
  Store(Batch(0, 3));
  Store(Batch(3, 3));
  EXPECT_EQ(Check(Batch(2, 2)), ErrorCode::kOutOfOrderSequence);
  EXPECT_EQ(Check(Batch(5, 4)), ErrorCode::kOutOfOrderSequence);
}

TEST_F(ProducerTableTest, ALowerEpochIsFenced) {
  Store(Batch(0, 1, 2));
  EXPECT_EQ(Check(Batch(1, 1, 1)), ErrorCode::kInvalidProducerEpoch);
}

TEST_F(ProducerTableTest, ANewEpochBeginsAtZero) {
  Store(Batch(0));
  EXPECT_EQ(Check(Batch(1, 1, 1)), ErrorCode::kOutOfOrderSequence);
  EXPECT_EQ(Check(Batch(0, 1, 1)), ErrorCode::kNone);
  Store(Batch(0, 1, 1));
  EXPECT_EQ(Check(Batch(1, 1, 0)), ErrorCode::kInvalidProducerEpoch);
}

TEST_F(ProducerTableTest, SequencesWrapToZero) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  Store(Batch(kMax - 1, 2));  // a log whose beginning is trimmed
  EXPECT_EQ(Check(Batch(0)), ErrorCode::kNone);
  Store(Batch(0));
  EXPECT_EQ(table_.Check(Batch(kMax - 1, 2)).duplicate_of->base_offset, Offset{100});
  EXPECT_EQ(Check(Batch(kMax - 10)), ErrorCode::kDuplicateSequence);
  Store(Batch(1));
  EXPECT_EQ(Check(Batch(3)), ErrorCode::kOutOfOrderSequence);
}

TEST_F(ProducerTableTest, ABatchMayItselfWrap) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  Store(Batch(kMax, 3));  // kMax, 0, 1
  EXPECT_EQ(Check(Batch(2)), ErrorCode::kNone);
  EXPECT_TRUE(table_.Check(Batch(kMax, 3)).duplicate_of.has_value());
}

TEST_F(ProducerTableTest, BatchesWithoutProducerPassBy) {
  const auto plain = *RecordBatchView::Parse(MakeBatch({}));
  EXPECT_EQ(Check(plain), ErrorCode::kNone);
  table_.Replay(plain);
  EXPECT_TRUE(table_.empty());
}

TEST_F(ProducerTableTest, ReplayingTwiceDoesNoHarm) {
  const Bytes stamped = StampBatch(Batch(0, 3), Offset{7}, LeaderEpoch{1}, std::nullopt);
  table_.Replay(*RecordBatchView::Parse(stamped));
  const auto once = table_.Entries();
  table_.Replay(*RecordBatchView::Parse(stamped));
  EXPECT_EQ(table_.Entries(), once);
}

TEST_F(ProducerTableTest, ANewProducerBeyondTheLimitIsRefused) {
  for (int64_t producer = 1; producer <= 3; ++producer) Store(Batch(0, 1, 0, producer));
  EXPECT_EQ(Check(Batch(0, 1, 0, 4)), ErrorCode::kLimitReached);
  EXPECT_EQ(Check(Batch(1, 1, 0, 3)), ErrorCode::kNone);
}

TEST_F(ProducerTableTest, IdleProducersExpireOnlyWhenTheirBatchesAreCommitted) {
  const Instant start{};
  const Duration week = std::chrono::hours(24 * 7);
  Store(Batch(0));
  table_.Expire(start, week, end_);
  table_.Expire(start + week - std::chrono::seconds(1), week, end_);
  EXPECT_EQ(table_.size(), 1U);
  table_.Expire(start + week, week, Offset{100});  // its batch is not below the high watermark
  EXPECT_EQ(table_.size(), 1U);
  table_.Expire(start + week, week, end_);
  EXPECT_TRUE(table_.empty());
  // P07: what comes then is neither taken blindly nor refused for ever.
  EXPECT_EQ(Check(Batch(1)), ErrorCode::kUnknownProducerId);
  EXPECT_EQ(Check(Batch(0, 1, 1)), ErrorCode::kNone);
}

TEST_F(ProducerTableTest, AProducerThatSendsDoesNotExpire) {
  const Duration week = std::chrono::hours(24 * 7);
  Store(Batch(0));
  table_.Expire(Instant{}, week, end_);
  Store(Batch(1));
  table_.Expire(Instant{} + week, week, end_);
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(ProducerTableTest, ASnapshotBringsEverythingBack) {
  for (int i = 0; i < 20; ++i) Store(Batch(i));
  Store(Batch(0, 2, 3, 11));
  ProducerTable other;
  other.Restore(table_.Snapshot(end_).producers);
  EXPECT_EQ(other.Entries(), table_.Entries());
}

TEST_F(ProducerTableTest, TheCodecBringsEverythingBack) {
  for (int i = 0; i < 20; ++i) Store(Batch(i));
  Store(Batch(0, 2, 3, 11));
  const Bytes bytes = EncodeProducers(table_.Entries());
  EXPECT_EQ(DecodeProducers(bytes.view()), table_.Entries());
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto part = DecodeProducers(bytes.view().substr(0, cut));
    EXPECT_TRUE(!part || part->size() < 2);
  }
  EXPECT_FALSE(DecodeProducers(std::string(19, 'x')));
}

TEST_F(ProducerTableTest, OfManyProducersTheNewestBatchesAreTold) {
  constexpr int64_t kProducers = 100'000;
  ProducerEntry full;
  for (int i = 0; i < 16; ++i) {
    full.batches.push_back({.base_sequence = Sequence{i},
                            .last_sequence = Sequence{i},
                            .base_offset = Offset{i},
                            .last_offset = Offset{i},
                            .timestamp = TimestampMs{i}});
  }
  std::vector<ProducerEntry> all(kProducers, full);
  for (int64_t i = 0; i < kProducers; ++i) all[static_cast<size_t>(i)].producer_id = ProducerId{i};
  const auto told = DecodeProducers(EncodeProducers(all).view());
  ASSERT_TRUE(told.has_value());
  ASSERT_EQ(told->size(), all.size());
  for (const ProducerEntry& entry : *told) {
    ASSERT_EQ(entry.batches.size(), 1U);
    ASSERT_EQ(entry.batches.front(), full.batches.back());
  }
  all.resize(30'000);
  const auto more = DecodeProducers(EncodeProducers(all).view());
  ASSERT_TRUE(more.has_value());
  ASSERT_EQ(more->size(), all.size());
  EXPECT_EQ(more->front().batches.size(), 5U);
  EXPECT_EQ(more->front().batches.front(), full.batches[11]);
}

TEST_F(ProducerTableTest, ASnapshotOfAnEarlierOffsetAndTheBatchesFromThereGiveTheWholeState) {
  for (int i = 0; i < 20; ++i) Store(Batch(i));
  for (int64_t as_of = 100; as_of <= 120; ++as_of) {
    ProducerTable other;
    other.Restore(table_.Snapshot(Offset{as_of}).producers);
    for (int64_t offset = as_of; offset < 120; ++offset) {
      other.ReplayAt(Batch(static_cast<int32_t>(offset - 100)), Offset{offset});
    }
    EXPECT_EQ(other.Entries(), table_.Entries()) << as_of;
  }
}

TEST_F(ProducerTableTest, AProducerIdWithoutSequenceIsInvalid) {
  EXPECT_EQ(Check(*RecordBatchView::Parse(MakeBatch({.producer_id = 4, .sequence = -1}))),
            ErrorCode::kInvalidRecord);
}

}  // namespace
}  // namespace quipu
