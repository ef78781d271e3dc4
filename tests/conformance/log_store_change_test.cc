// Goal: state, epochs, truncation, trim and producer state are alike in every LogStore.
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

class LogStoreChangeTest : public LogStoreTest {};
INSTANTIATE_TEST_SUITE_P(Stores, LogStoreChangeTest,
                         ::testing::Values(Kind::kMemory, Kind::kRocksdb, Kind::kJournal),
                         KindName);

// ---- state and epochs --------------------------------------------------------------------------

TEST_P(LogStoreChangeTest, StateIsKept) {
  const LogId log = Create(1);
  const PartitionState state{.leader_epoch = LeaderEpoch(4),
                             .partition_epoch = PartitionEpoch(9),
                             .log_start_offset = Offset(2),
                             .high_watermark = Offset(3)};
  LogMutation mutation;
  mutation.state = state;
  Write(log, mutation);
  Reopen();
  EXPECT_EQ(Recover(log).state, state);
}

TEST_P(LogStoreChangeTest, MutationWithoutStateLeavesItAlone) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.state = PartitionState{.leader_epoch = LeaderEpoch(4)};
  Write(log, mutation);
  Append(log, {{}});
  Reopen();
  EXPECT_EQ(Recover(log).state.leader_epoch, LeaderEpoch(4));
}

TEST_P(LogStoreChangeTest, LaterStateOfTheSameGroupWins) {
  const LogId log = Create(1);
  LogMutation first;
  first.state = PartitionState{.high_watermark = Offset(1)};
  LogMutation second;
  second.state = PartitionState{.high_watermark = Offset(2)};
  ASSERT_TRUE(store().Write({{log, first}, {log, second}}).ok());
  EXPECT_EQ(Recover(log).state.high_watermark, Offset(2));
  Reopen();
  EXPECT_EQ(Recover(log).state.high_watermark, Offset(2));
}

TEST_P(LogStoreChangeTest, EpochListIsReplacedAsAWhole) {
  const LogId log = Create(1);
  const std::vector<EpochEntry> three = {
      {LeaderEpoch(1), Offset(0)}, {LeaderEpoch(3), Offset(10)}, {LeaderEpoch(4), Offset(20)}};
  LogMutation mutation;
  mutation.epochs = three;
  Write(log, mutation);
  Reopen();
  EXPECT_EQ(Recover(log).epochs, three);
  const std::vector<EpochEntry> changed = {{LeaderEpoch(1), Offset(0)},
                                           {LeaderEpoch(5), Offset(12)}};
  mutation.epochs = changed;
  Write(log, mutation);
  Reopen();
  EXPECT_EQ(Recover(log).epochs, changed);
  mutation.epochs = std::vector<EpochEntry>{};
  Write(log, mutation);
  Reopen();
  EXPECT_THAT(Recover(log).epochs, IsEmpty());
}

TEST_P(LogStoreChangeTest, TwoEpochListsInOneGroupLeaveTheSecond) {
  const LogId log = Create(1);
  LogMutation first;
  first.epochs = std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(2), Offset(5)}};
  LogMutation second;
  second.epochs = std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(7), Offset(6)}};
  ASSERT_TRUE(store().Write({{log, first}, {log, second}}).ok());
  Reopen();
  EXPECT_EQ(Recover(log).epochs, *second.epochs);
}

// ---- truncation --------------------------------------------------------------------------------

TEST_P(LogStoreChangeTest, TruncationRemovesEveryBatchThatReachesThePoint) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5},
               {.base = Offset(5), .records = 5},
               {.base = Offset(10), .records = 5}});
  LogMutation mutation;
  mutation.truncate_to = Offset(7);
  Write(log, mutation);
  EXPECT_THAT(Read(log, 0), ElementsAre(0));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(5));
  Reopen();
  EXPECT_THAT(Read(log, 0), ElementsAre(0));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(5));
}

TEST_P(LogStoreChangeTest, TruncationAtTheLogEndRemovesNothing) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5}});
  LogMutation mutation;
  mutation.truncate_to = Offset(5);
  Write(log, mutation);
  EXPECT_THAT(Read(log, 0), ElementsAre(0));
}

TEST_P(LogStoreChangeTest, TruncationToZeroEmptiesTheLog) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5}, {.base = Offset(5)}});
  LogMutation mutation;
  mutation.truncate_to = Offset(0);
  Write(log, mutation);
  EXPECT_THAT(Read(log, 0), IsEmpty());
  EXPECT_EQ(Recover(log).log_end_offset, Offset(0));
}

TEST_P(LogStoreChangeTest, OneMutationTruncatesFirstAndThenAppends) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5}, {.base = Offset(5), .records = 5}});
  LogMutation mutation;
  mutation.truncate_to = Offset(5);
  mutation.appends = {MakeBatch({.base = Offset(5), .records = 2, .epoch = LeaderEpoch(2)})};
  Write(log, mutation);
  Reopen();
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 5));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(7));
}

TEST_P(LogStoreChangeTest, TruncationAlsoRemovesAppendsOfTheSameGroup) {
  const LogId log = Create(1);
  LogMutation append;
  append.appends = {MakeBatch({.base = Offset(0), .records = 5}),
                    MakeBatch({.base = Offset(5), .records = 5})};
  append.state = PartitionState{.high_watermark = Offset(2)};
  LogMutation truncate;
  truncate.truncate_to = Offset(5);
  truncate.appends = {MakeBatch({.base = Offset(5), .records = 1})};
  ASSERT_TRUE(store().Write({{log, append}, {log, truncate}}).ok());
  Reopen();
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 5));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(6));
  EXPECT_EQ(Recover(log).state.high_watermark, Offset(2));
}

TEST_P(LogStoreChangeTest, TruncatedTimestampsAreForgotten) {
  const LogId log = Create(1);
  for (int64_t i = 0; i < 20; ++i) {
    Append(log, {{.base = Offset(i), .timestamp = TimestampMs(100 + i), .value_bytes = 20000}});
  }
  LogMutation mutation;
  mutation.truncate_to = Offset(3);
  Write(log, mutation);
  for (int64_t i = 3; i < 20; ++i) {
    Append(log, {{.base = Offset(i), .timestamp = TimestampMs(1000 + i), .value_bytes = 20000}});
  }
  EXPECT_EQ(FindByTimestamp(log, 103), 3);
  EXPECT_EQ(FindByTimestamp(log, 1010), 10);
  Reopen();
  EXPECT_EQ(FindByTimestamp(log, 103), 3);
  EXPECT_EQ(FindByTimestamp(log, 1010), 10);
}

// ---- trim --------------------------------------------------------------------------------------

TEST_P(LogStoreChangeTest, ReadsBeginAtTheLogStart) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5},
               {.base = Offset(5), .records = 5},
               {.base = Offset(10), .records = 5}});
  SetLogStart(log, Offset(5));
  EXPECT_THAT(Read(log, 0), ElementsAre(5, 10));
  Reopen();
  EXPECT_THAT(Read(log, 0), ElementsAre(5, 10));
  EXPECT_EQ(Recover(log).state.log_start_offset, Offset(5));
}

TEST_P(LogStoreChangeTest, BatchThatContainsTheLogStartStays) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5}, {.base = Offset(5), .records = 5}});
  SetLogStart(log, Offset(3));
  EXPECT_THAT(Read(log, 3), ElementsAre(0, 5));
}

TEST_P(LogStoreChangeTest, FullyTrimmedLogKeepsItsEnd) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 5}});
  SetLogStart(log, Offset(5));
  EXPECT_THAT(Read(log, 0), IsEmpty());
  EXPECT_EQ(Recover(log).log_end_offset, Offset(5));
  Reopen();
  EXPECT_EQ(Recover(log).log_end_offset, Offset(5));
  Append(log, {{.base = Offset(5)}});
  EXPECT_THAT(Read(log, 0), ElementsAre(5));
}

// A follower that begins at the leader's log start gets the whole batch around it.
TEST_P(LogStoreChangeTest, EmptyLogMayBeginWithTheBatchAroundItsStart) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.state = PartitionState{.log_start_offset = Offset(1003)};
  Write(log, mutation);
  Append(log, {{.base = Offset(1000), .records = 5}});
  Reopen();
  EXPECT_THAT(Read(log, 1003), ElementsAre(1000));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(1005));
  Append(log, {{.base = Offset(1005)}});
  EXPECT_THAT(Read(log, 1003), ElementsAre(1000, 1005));
}

TEST_P(LogStoreChangeTest, LogMayBeginFarFromZero) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.state = PartitionState{.log_start_offset = Offset(1000)};
  Write(log, mutation);
  EXPECT_EQ(Recover(log).log_end_offset, Offset(1000));
  Append(log, {{.base = Offset(1000), .records = 2}});
  EXPECT_EQ(Recover(log).log_end_offset, Offset(1002));
}

// ---- producers ---------------------------------------------------------------------------------

TEST_P(LogStoreChangeTest, ProducerStateIsRebuiltFromBatches) {
  const LogId log = Create(1);
  Append(log,
         {{.base = Offset(0), .records = 3, .producer = ProducerId(8), .sequence = Sequence(0)},
          {.base = Offset(3), .records = 2, .producer = ProducerId(8), .sequence = Sequence(3)}});
  Reopen();
  const RecoveredLog recovered = Recover(log);
  ASSERT_EQ(recovered.producers.size(), 1U);
  EXPECT_EQ(recovered.producers[0].producer_id, ProducerId(8));
  ASSERT_EQ(recovered.producers[0].batches.size(), 2U);
  EXPECT_EQ(recovered.producers[0].batches[1].last_sequence, Sequence(4));
  EXPECT_EQ(recovered.producers[0].batches[1].base_offset, Offset(3));
}

ProducerSnapshot SnapshotAt(int64_t as_of, int64_t producer) {
  return {.as_of = Offset(as_of),
          .producers = {{.producer_id = ProducerId(producer),
                         .producer_epoch = ProducerEpoch(2),
                         .last_timestamp = TimestampMs(77),
                         .batches = {{.base_sequence = Sequence(5),
                                      .last_sequence = Sequence(9),
                                      .base_offset = Offset(0),
                                      .last_offset = Offset(4),
                                      .timestamp = TimestampMs(77)}}}}};
}

TEST_P(LogStoreChangeTest, ProducerSnapshotIsTakenAndOnlyLaterBatchesReplayed) {
  const LogId log = Create(1);
  LogMutation mutation;
  // The first batch is damaged: whoever reads it fails. The snapshot covers it.
  mutation.appends = {Damaged(MakeBatch({.base = Offset(0), .records = 5}), 100),
                      MakeBatch({.base = Offset(5), .records = 1, .producer = ProducerId(9)})};
  mutation.producers = SnapshotAt(5, 8);
  Write(log, mutation);
  Reopen();
  const RecoveredLog recovered = Recover(log);
  ASSERT_EQ(recovered.producers.size(), 2U);
  EXPECT_EQ(recovered.producers[0], SnapshotAt(5, 8).producers[0]);
  EXPECT_EQ(recovered.producers[1].producer_id, ProducerId(9));
}

TEST_P(LogStoreChangeTest, TruncationBelowASnapshotFallsBackToAnOlderOne) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.appends = {Damaged(MakeBatch({.base = Offset(0), .records = 5}), 100),
                      MakeBatch({.base = Offset(5), .records = 1, .producer = ProducerId(9)}),
                      MakeBatch({.base = Offset(6), .records = 1, .producer = ProducerId(10)})};
  mutation.producers = SnapshotAt(5, 8);
  Write(log, mutation);
  LogMutation later;
  later.producers = SnapshotAt(7, 11);
  Write(log, later);
  LogMutation truncate;
  truncate.truncate_to = Offset(6);
  Write(log, truncate);
  Reopen();
  const RecoveredLog recovered = Recover(log);
  ASSERT_EQ(recovered.producers.size(), 2U);
  EXPECT_EQ(recovered.producers[0].producer_id, ProducerId(8));
  EXPECT_EQ(recovered.producers[1].producer_id, ProducerId(9));
}

TEST_P(LogStoreChangeTest, OldProducerSnapshotsMakeRoom) {
  const LogId log = Create(1);
  Append(log, {{.base = Offset(0), .records = 50}});
  for (int64_t as_of = 1; as_of <= 10; ++as_of) {
    LogMutation mutation;
    mutation.producers = SnapshotAt(as_of, as_of);
    Write(log, mutation);
  }
  Reopen();
  EXPECT_EQ(Recover(log).producers[0].producer_id, ProducerId(10));
}

}  // namespace
}  // namespace quipu::conformance
