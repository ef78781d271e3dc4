// Goal: logs come, go and give back what was appended alike in every LogStore.
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

class LogStoreAppendTest : public LogStoreTest {};
INSTANTIATE_TEST_SUITE_P(Stores, LogStoreAppendTest,
                         ::testing::Values(Kind::kMemory, Kind::kRocksdb, Kind::kJournal),
                         KindName);

// ---- logs --------------------------------------------------------------------------------------

TEST_P(LogStoreAppendTest, CreatingALogTwiceGivesTheSameLog) {
  const LogId first = Create(7);
  EXPECT_EQ(Create(7), first);
  EXPECT_EQ(store().FindLog(PartitionUid(7)), first);
}

TEST_P(LogStoreAppendTest, UnknownPartitionHasNoLog) {
  EXPECT_EQ(store().FindLog(PartitionUid(7)), std::nullopt);
}

TEST_P(LogStoreAppendTest, ReadingAnUnknownLogIsAnError) {
  EXPECT_EQ(CodeOf(store().Read(LogId(99), Offset(0), Offset(1), 1).status()),
            ErrorCode::kResourceNotFound);
  EXPECT_EQ(CodeOf(store().Recover(LogId(99)).status()), ErrorCode::kResourceNotFound);
}

TEST_P(LogStoreAppendTest, WritingToAnUnknownLogChangesNothing) {
  const LogId log = Create(1);
  LogMutation good;
  good.appends = {MakeBatch({})};
  EXPECT_FALSE(store().Write({{log, good}, {LogId(99), good}}).ok());
  EXPECT_EQ(Recover(log).log_end_offset, Offset(0));
}

TEST_P(LogStoreAppendTest, LogsAreListedByPartition) {
  const LogId b = Create(9);
  const LogId a = Create(3);
  const std::vector<KnownLog> logs = store().Logs();
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_EQ(logs[0].uid, PartitionUid(3));
  EXPECT_EQ(logs[0].log_id, a);
  EXPECT_EQ(logs[1].uid, PartitionUid(9));
  EXPECT_EQ(logs[1].log_id, b);
}

TEST_P(LogStoreAppendTest, ManyLogsAreMadeAtOnce) {
  const LogId known = Create(5);
  const auto ids =
      store().CreateLogs({PartitionUid(4), PartitionUid(5), PartitionUid(6), PartitionUid(4)});
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ((*ids)[1], known);
  EXPECT_EQ((*ids)[0], (*ids)[3]);
  EXPECT_NE((*ids)[0], (*ids)[2]);
  EXPECT_EQ(store().Logs().size(), 3U);
}

TEST_P(LogStoreAppendTest, DroppedLogIsGone) {
  const LogId log = Create(1);
  Append(log, {{}});
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  EXPECT_EQ(store().FindLog(PartitionUid(1)), std::nullopt);
  EXPECT_FALSE(store().Recover(log).ok());
  Reopen();
  EXPECT_THAT(store().Logs(), IsEmpty());
}

TEST_P(LogStoreAppendTest, ManyLogsAreDroppedAtOnce) {
  const LogId kept = Create(4);
  Append(kept, {{}});
  const LogId dropped = Create(5);
  Append(dropped, {{}});
  Create(6);
  ASSERT_TRUE(
      store().DropLogs({PartitionUid(5), PartitionUid(7), PartitionUid(6), PartitionUid(5)}).ok());
  EXPECT_FALSE(store().Recover(dropped).ok());
  Reopen();
  ASSERT_EQ(store().Logs().size(), 1U);
  EXPECT_EQ(store().FindLog(PartitionUid(4)), kept);
  EXPECT_EQ(Read(kept, 0).size(), 1U);
}

TEST_P(LogStoreAppendTest, DroppingAnUnknownPartitionIsNoError) {
  EXPECT_TRUE(store().DropLog(PartitionUid(1)).ok());
}

TEST_P(LogStoreAppendTest, RecreatedLogIsEmptyAndHasANewId) {
  const LogId old = Create(1);
  Append(old, {{.base = Offset(0), .records = 5}});
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  const LogId fresh = Create(1);
  EXPECT_NE(fresh, old);
  EXPECT_THAT(Read(fresh, 0), IsEmpty());
  EXPECT_EQ(Recover(fresh).log_end_offset, Offset(0));
  EXPECT_THAT(Recover(fresh).epochs, IsEmpty());
}

TEST_P(LogStoreAppendTest, LogIdsAreNeverUsedAgainEvenAfterAReopen) {
  std::set<LogId> seen;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(seen.insert(Create(1)).second);
    ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
    Reopen();
  }
  EXPECT_TRUE(seen.insert(Create(2)).second);
}

// ---- append and read ---------------------------------------------------------------------------

TEST_P(LogStoreAppendTest, FreshLogIsEmpty) {
  const LogId log = Create(1);
  EXPECT_THAT(Read(log, 0), IsEmpty());
  const RecoveredLog recovered = Recover(log);
  EXPECT_EQ(recovered.log_end_offset, Offset(0));
  EXPECT_EQ(recovered.state, PartitionState{});
  EXPECT_THAT(recovered.epochs, IsEmpty());
  EXPECT_THAT(recovered.producers, IsEmpty());
}

TEST_P(LogStoreAppendTest, ReadsBackTheVeryBytes) {
  const LogId log = Create(1);
  const StoredBatch batch =
      MakeBatch({.base = Offset(0), .records = 3, .timestamp = TimestampMs(5)});
  LogMutation mutation;
  mutation.appends = {batch};
  Write(log, mutation);
  Reopen();
  const auto read = store().Read(log, Offset(0), Offset(3), kUnlimited);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ((*read)[0].bytes, batch.bytes);
  EXPECT_EQ((*read)[0].base_offset, Offset(0));
  EXPECT_EQ((*read)[0].last_offset, Offset(2));
  EXPECT_EQ((*read)[0].max_timestamp, TimestampMs(5));
}

TEST_P(LogStoreAppendTest, ReadBeginsWithTheBatchThatContainsTheOffset) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 10}, {.base = Offset(10), .records = 5}});
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 10));
  EXPECT_THAT(Read(log, 9), ElementsAre(0, 10));
  EXPECT_THAT(Read(log, 10), ElementsAre(10));
  EXPECT_THAT(Read(log, 14), ElementsAre(10));
  EXPECT_THAT(Read(log, 15), IsEmpty());
}

TEST_P(LogStoreAppendTest, OffsetsNeedNotBeDense) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 2}, {.base = Offset(10), .records = 2}});
  EXPECT_THAT(Read(log, 5), ElementsAre(10));
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 10));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(12));
}

TEST_P(LogStoreAppendTest, BatchThatReachesBeyondTheEndIsNotRead) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5}, {.base = Offset(5), .records = 5}});
  EXPECT_THAT(Read(log, 0, 10), ElementsAre(0, 5));
  EXPECT_THAT(Read(log, 0, 9), ElementsAre(0));
  EXPECT_THAT(Read(log, 0, 5), ElementsAre(0));
  EXPECT_THAT(Read(log, 0, 4), IsEmpty());
  EXPECT_THAT(Read(log, 0, 0), IsEmpty());
  EXPECT_THAT(Read(log, 7, 3), IsEmpty());
}

TEST_P(LogStoreAppendTest, ReadReturnsAtLeastOneBatchAndThenWhatFits) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0)}, {.base = Offset(1)}, {.base = Offset(2)}});
  const size_t one = MakeBatch({}).bytes.size();
  EXPECT_THAT(Read(log, 0, INT64_MAX, 0), ElementsAre(0));
  EXPECT_THAT(Read(log, 0, INT64_MAX, one), ElementsAre(0));
  EXPECT_THAT(Read(log, 0, INT64_MAX, 2 * one - 1), ElementsAre(0));
  EXPECT_THAT(Read(log, 0, INT64_MAX, 2 * one), ElementsAre(0, 1));
}

TEST_P(LogStoreAppendTest, LogsDoNotMix) {
  const LogId a = Create(1);
  const LogId b = Create(2);
  LogMutation to_a;
  to_a.appends = {MakeBatch({.base = Offset(0), .records = 3})};
  LogMutation to_b;
  to_b.appends = {MakeBatch({.base = Offset(0), .records = 7})};
  ASSERT_TRUE(store().Write({{a, to_a}, {b, to_b}}).ok());
  EXPECT_EQ(Recover(a).log_end_offset, Offset(3));
  EXPECT_EQ(Recover(b).log_end_offset, Offset(7));
  EXPECT_THAT(Read(a, 3), IsEmpty());
}

TEST_P(LogStoreAppendTest, AppendsGoOnAfterAReopen) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 4}});
  Reopen();
  Append(log, {{.base = Offset(4), .records = 4}});
  Reopen();
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 4));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(8));
}

TEST_P(LogStoreAppendTest, LargeBatchesAreKeptToo) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .value_bytes = 3U << 20}});
  Reopen();
  const auto read = store().Read(log, Offset(0), Offset(1), 1);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ((*read)[0].bytes, MakeBatch({.base = Offset(0), .value_bytes = 3U << 20}).bytes);
}

// ---- damage (D5) -------------------------------------------------------------------------------

TEST_P(LogStoreAppendTest, DamagedRecordsAreReportedWithLogAndOffset) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.appends = {Damaged(MakeBatch({.base = Offset(0), .records = 3}), 100)};
  Write(log, mutation);
  const absl::Status status = store().Read(log, Offset(0), Offset(3), kUnlimited).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kCorruptMessage);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("log " + log.ToString()));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("offset 2"));
}

TEST_P(LogStoreAppendTest, SoundBatchesBeforeTheDamageAreServedAndNoneBehind) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.appends = {MakeBatch({.base = Offset(0)}), Damaged(MakeBatch({.base = Offset(1)}), 80),
                      MakeBatch({.base = Offset(2)})};
  Write(log, mutation);
  EXPECT_THAT(Read(log, 0), ElementsAre(0));
  EXPECT_FALSE(store().Read(log, Offset(1), Offset(3), kUnlimited).ok());
  EXPECT_THAT(Read(log, 2), ElementsAre(2));
}

TEST_P(LogStoreAppendTest, HeaderThatNamesAnotherOffsetIsDamage) {
  const LogId log = Create(1);
  StoredBatch batch = MakeBatch({.base = Offset(0), .records = 2});
  batch.base_offset = Offset(10);
  batch.last_offset = Offset(11);
  LogMutation mutation;
  mutation.appends = {batch};
  Write(log, mutation);
  EXPECT_EQ(CodeOf(store().Read(log, Offset(10), Offset(12), 1).status()),
            ErrorCode::kCorruptMessage);
}

}  // namespace
}  // namespace quipu::conformance
