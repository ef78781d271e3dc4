// Goal: a damaged batch is named with its place, never served, and repaired by a sound one under
// the same key and nowhere else (D5). Method: one store of each kind; batches whose bytes were
// changed before they were written.
#include <optional>

#include "gmock/gmock.h"
#include "storage/log_recovery.h"
#include "tests/conformance/log_store_test_suite.h"

namespace quipu::conformance {
namespace {

using ::testing::ElementsAre;

class LogStoreDamageTest : public LogStoreTest {
 protected:
  // [0,2] [3,5] [6,8] [9,11], the second damaged.
  LogId CreateDamaged() {
    const LogId log = Create(1);
    LogMutation mutation;
    mutation.appends = {Batch(0), Damaged(Batch(3), 90), Batch(6), Batch(9)};
    Write(log, std::move(mutation));
    return log;
  }
  static StoredBatch Batch(int64_t base, int64_t producer = 7) {
    return MakeBatch({.base = Offset(base),
                      .records = 3,
                      .timestamp = TimestampMs(1000 + base),
                      .producer = ProducerId(producer),
                      .sequence = Sequence(static_cast<int32_t>(base))});
  }
  void Repair(LogId log, StoredBatch batch) {
    LogMutation mutation;
    mutation.repairs = {std::move(batch)};
    Write(log, std::move(mutation));
  }
  std::optional<DamagedBatch> PlaceAt(LogId log, int64_t offset) {
    const auto read = store().Read(log, Offset(offset), Offset::Max(), kUnlimited);
    return DamagedPlaceOf(read.status());
  }
  static DamagedBatch Place(int64_t first, int64_t last) { return {Offset(first), Offset(last)}; }
};

INSTANTIATE_TEST_SUITE_P(Stores, LogStoreDamageTest,
                         ::testing::Values(Kind::kMemory, Kind::kRocksdb, Kind::kJournal),
                         KindName);

TEST_P(LogStoreDamageTest, PlaceOfADamagedBatchIsReported) {
  const LogId log = CreateDamaged();
  EXPECT_EQ(PlaceAt(log, 3), Place(3, 5));
  EXPECT_EQ(PlaceAt(log, 5), Place(3, 5));
  EXPECT_EQ(PlaceAt(log, 6), std::nullopt);
}

TEST_P(LogStoreDamageTest, FirstBatchOfALogMayBeginAnywhere) {
  const LogId log = Create(1);
  LogMutation mutation;
  mutation.appends = {Damaged(Batch(5), 90)};
  Write(log, std::move(mutation));
  EXPECT_EQ(PlaceAt(log, 5), Place(0, 7));
}

TEST_P(LogStoreDamageTest, RecoverNamesDamageAndGoesOn) {
  const LogId log = CreateDamaged();
  Reopen();
  const RecoveredLog recovered = Recover(log);
  EXPECT_EQ(recovered.log_end_offset, Offset(12));
  EXPECT_THAT(recovered.damaged, ElementsAre(Place(3, 5)));
  ASSERT_EQ(recovered.producers.size(), 1U);
  EXPECT_EQ(recovered.producers[0].batches.back().last_sequence, Sequence(11));
}

TEST_P(LogStoreDamageTest, DamageBelowAProducerSnapshotIsNoMatterOfRecovery) {
  const LogId log = CreateDamaged();
  LogMutation mutation;
  mutation.producers = ProducerSnapshot{.as_of = Offset(6), .producers = {}};
  Write(log, std::move(mutation));
  Reopen();
  EXPECT_TRUE(Recover(log).damaged.empty());
}

TEST_P(LogStoreDamageTest, RepairedBatchIsServedAndStays) {
  const LogId log = CreateDamaged();
  Repair(log, Batch(3));
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 3, 6, 9));
  Reopen();
  EXPECT_THAT(Read(log, 0), ElementsAre(0, 3, 6, 9));
  const RecoveredLog recovered = Recover(log);
  EXPECT_TRUE(recovered.damaged.empty());
  EXPECT_EQ(recovered.log_end_offset, Offset(12));
  ASSERT_EQ(recovered.producers.size(), 1U);
  EXPECT_EQ(recovered.producers[0].batches.size(), 4U);
}

TEST_P(LogStoreDamageTest, RepairWithoutAPlaceIsLeftOut) {
  const LogId log = CreateDamaged();
  Repair(log, MakeBatch({.base = Offset(3), .records = 2}));   // ends at 4: no such batch
  Repair(log, MakeBatch({.base = Offset(12), .records = 3}));  // beyond the end
  Repair(log, MakeBatch({.base = Offset(2), .records = 4}));   // begins inside the batch before
  EXPECT_EQ(PlaceAt(log, 3), Place(3, 5));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(12));
  EXPECT_THAT(Read(log, 6), ElementsAre(6, 9));
}

TEST_P(LogStoreDamageTest, RepairBringsNothingBackThatWasCutOrTrimmed) {
  const LogId log = CreateDamaged();
  LogMutation cut;
  cut.truncate_to = Offset(6);
  LogMutation late;
  late.repairs = {Batch(6), Batch(9)};
  // Cut and repair in one group.
  ASSERT_TRUE(store().Write({{log, cut}, {log, late}}).ok());
  EXPECT_EQ(Recover(log).log_end_offset, Offset(6));
  SetLogStart(log, Offset(6));
  Repair(log, Batch(3));
  EXPECT_THAT(Read(log, 0), ElementsAre());
  EXPECT_EQ(Recover(log).log_end_offset, Offset(6));
}

TEST_P(LogStoreDamageTest, AppendsAndTruncationsPassDamage) {
  const LogId log = CreateDamaged();
  Reopen();
  LogMutation append;
  append.appends = {Damaged(Batch(12), 90)};
  Write(log, std::move(append));
  LogMutation cut;
  cut.truncate_to = Offset(12);
  Write(log, std::move(cut));
  EXPECT_EQ(Recover(log).log_end_offset, Offset(12));
  LogMutation deeper;
  deeper.truncate_to = Offset(3);
  Write(log, std::move(deeper));
  EXPECT_THAT(Read(log, 0), ElementsAre(0));
}

TEST_P(LogStoreDamageTest, LookUpByTimeDoesNotStepOverDamage) {
  const LogId log = CreateDamaged();
  EXPECT_EQ(FindByTimestamp(log, 1000), 0);
  EXPECT_EQ(DamagedPlaceOf(store().FindByTimestamp(log, TimestampMs(1002)).status()), Place(3, 5));
}

}  // namespace
}  // namespace quipu::conformance
