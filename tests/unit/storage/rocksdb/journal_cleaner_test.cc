// Goal: what the journal's cleaner does changes the places of batches and nothing else, whatever
// happens at the same time, and takes no segment that somebody needs. Method: a store on a disk in
// memory; reads of one segment that stall until the test has done its part; bits that rot.
#include "storage/rocksdb/journal/journal_cleaner.h"

#include <future>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/log_recovery.h"
#include "tests/unit/storage/rocksdb/journal_store.h"

namespace quipu {
namespace {

using conformance::MakeBatch;
using faultfs::Call;
using faultfs::CallKind;
using faultfs::Fault;
using ::testing::ElementsAre;

class JournalCleanerTest : public ::testing::Test {
 protected:
  RocksdbLogStore& store() { return on_disk_.store(); }
  LogId Create(uint64_t uid) { return *store().CreateLog(PartitionUid(uid)); }
  // What dies: 16 KiB each, so that a segment holds two with two of Kept, and is mostly theirs.
  static StoredBatch Filler(int64_t offset) {
    return MakeBatch({.base = Offset(offset), .value_bytes = 16 << 10});
  }
  // Two records in 3 KiB; times that do not rise with the offsets.
  static StoredBatch Kept(int64_t i, char mark = 0) {
    return MakeBatch({.base = Offset(2 * i),
                      .records = 2,
                      .timestamp = TimestampMs(1000 + (i * 37) % 500 + mark),
                      .value_bytes = 1500 + static_cast<size_t>(mark),
                      .epoch = LeaderEpoch(static_cast<int32_t>(1 + i / 10)),
                      .producer = ProducerId(7),
                      .sequence = Sequence(static_cast<int32_t>(2 * i))});
  }
  void Write(LogId log_id, LogMutation mutation) {
    const absl::Status status = store().Write({{log_id, std::move(mutation)}});
    ASSERT_TRUE(status.ok()) << status;
  }
  void AppendKept(LogId log_id, int64_t i, char mark = 0) {
    LogMutation mutation;
    mutation.appends = {Kept(i, mark)};
    std::vector<EpochEntry> epochs;
    for (int32_t epoch = 0; epoch <= i / 10; ++epoch) {
      epochs.push_back({.epoch = LeaderEpoch(epoch + 1), .start_offset = Offset(20 * epoch)});
    }
    mutation.epochs = std::move(epochs);
    mutation.state = PartitionState{.leader_epoch = LeaderEpoch(static_cast<int32_t>(1 + i / 10)),
                                    .high_watermark = Offset(2 * i)};
    Write(log_id, std::move(mutation));
  }
  void AppendFiller(LogId log_id, int64_t offset) {
    LogMutation mutation;
    mutation.appends = {Filler(offset)};
    Write(log_id, std::move(mutation));
  }
  // Log 1 dies, log 2 stays: in turn, `count` batches each.
  void Fill(int64_t count) {
    dying_ = Create(1);
    kept_ = Create(2);
    for (int64_t i = 0; i < count; ++i) {
      AppendFiller(dying_, i);
      AppendKept(kept_, i);
    }
  }
  void DropTheDying() {
    ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
    store().WaitForTrimmer();
  }
  void Trim(LogId log_id, int64_t log_start) {
    LogMutation trim;
    trim.state = PartitionState{.log_start_offset = Offset(log_start)};
    Write(log_id, std::move(trim));
    store().PublishTrim(log_id, Offset(log_start));
    store().WaitForTrimmer();
  }
  // Everything that can be asked of a log, and every byte of it.
  std::string Told(LogId log_id) {
    const auto recovered = store().Recover(log_id);
    if (!recovered.ok()) return recovered.status().ToString();
    std::string told = absl::StrCat(
        "start ", recovered->state.log_start_offset.value(), " watermark ",
        recovered->state.high_watermark.value(), " end ", recovered->log_end_offset.value(),
        " damaged ", recovered->damaged.size(), " bytes ", store().ApproximateBytes(log_id), "\n");
    for (const EpochEntry& entry : recovered->epochs) {
      absl::StrAppend(&told, "epoch ", entry.epoch.value(), " from ", entry.start_offset.value(),
                      "\n");
    }
    for (const ProducerEntry& producer : recovered->producers) {
      absl::StrAppend(&told, "producer ", producer.producer_id.value(), " up to ",
                      producer.batches.back().last_sequence.value(), "\n");
    }
    for (int64_t time = 990; time < 1510; time += 40) {
      const auto found = store().FindByTimestamp(log_id, TimestampMs(time));
      absl::StrAppend(&told, "time ", time, " at ",
                      !found.ok()          ? found.status().ToString()
                      : found->has_value() ? absl::StrCat((*found)->base_offset.value())
                                           : "none",
                      "\n");
    }
    for (const int64_t from : {0, 30, 50}) {
      const auto largest = store().FindLargestTimestamp(log_id, Offset(from));
      absl::StrAppend(&told, "largest from ", from, " at ",
                      largest.ok() && largest->has_value()
                          ? absl::StrCat((*largest)->base_offset.value())
                          : largest.status().ToString(),
                      "\n");
    }
    for (const int64_t size : {10'000, 50'000, 90'000}) {
      const auto offset = store().OffsetForSize(log_id, size);
      absl::StrAppend(&told, "size ", size, " from ", offset.ok() ? offset->value() : -1, "\n");
    }
    const auto batches = store().Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
    if (!batches.ok()) return absl::StrCat(told, batches.status().ToString());
    for (const StoredBatch& batch : *batches) {
      absl::StrAppend(&told, batch.base_offset.value(), "-", batch.last_offset.value(), " at ",
                      batch.max_timestamp.value(), ": ", batch.bytes.view(), "\n");
    }
    return told;
  }
  // Every read of this segment stalls from now on, until LetReadsGo.
  void StallReadsOf(const std::string& name) {
    on_disk_.disk().SetHook([path = JournalStore::PathOf(name)](const Call& call) {
      return call.kind == CallKind::kRead && call.path == path ? Fault::kStall : Fault::kNone;
    });
  }
  void WaitForAStalledRead() {
    ASSERT_TRUE(Eventually([this] { return on_disk_.disk().stalled() > 0; }));
  }
  void LetReadsGo() {
    on_disk_.disk().SetHook({});
    on_disk_.disk().EndStalls();
  }
  // The one segment in which the batch lies, while none was used again.
  std::string SegmentOf(const StoredBatch& batch) {
    const auto places = on_disk_.PlacesOf(batch);
    EXPECT_EQ(places.size(), 1U);
    return places.empty() ? "" : places[0].name;
  }

  JournalStore on_disk_;
  LogId dying_{0};
  LogId kept_{0};
};

TEST_F(JournalCleanerTest, WhatLivesInAMostlyDeadSegmentIsMovedAndReadTheSame) {
  Fill(40);
  const std::vector<std::string> before = on_disk_.SegmentNames();
  ASSERT_GE(before.size(), 20U);
  const std::string told = Told(kept_);
  DropTheDying();
  const JournalStats stats = store().GetJournalStats();
  EXPECT_GE(stats.freed, 17U);
  EXPECT_GE(stats.moved_bytes, 17 * 2 * Kept(0).bytes.size());
  EXPECT_EQ(Told(kept_), told);
  // Their files are gone, or used for others.
  for (size_t i = 0; i < 17; ++i) {
    EXPECT_TRUE(Eventually([&] { return !on_disk_.IsThere(before[i]); })) << before[i];
  }
  on_disk_.Reopen();
  EXPECT_EQ(Told(kept_), told);
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Told(kept_), told);
  // The next process knows what lies where.
  EXPECT_FALSE(store().FindLog(PartitionUid(1)).has_value());
  AppendKept(kept_, 40);
  const std::string more = Told(kept_);
  ASSERT_TRUE(store().DropLog(PartitionUid(3)).ok());
  store().WaitForTrimmer();
  EXPECT_EQ(Told(kept_), more);
}

// What goes on dying is not written again: it will be free by itself.
TEST_F(JournalCleanerTest, NothingIsMovedBeforeASegmentHasSettled) {
  on_disk_.cleaner_settle = std::chrono::seconds(1);
  on_disk_.Reopen();
  Fill(40);
  EXPECT_EQ(store().GetJournalStats().moved_bytes, 0U);
  const auto died = std::chrono::steady_clock::now();
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  EXPECT_TRUE(Eventually([&] { return store().GetJournalStats().moved_bytes > 0; }));
  EXPECT_GE(std::chrono::steady_clock::now() - died, on_disk_.cleaner_settle);
}

// What a busy log gives up comes back as fast as it fills segments, however long the pause.
TEST_F(JournalCleanerTest, FilledSegmentsEndThePause) {
  on_disk_.cleaner_pause = std::chrono::hours(1);
  on_disk_.Reopen();
  const LogId first = Create(1);
  const LogId second = Create(2);
  const LogId third = Create(3);
  for (int64_t i = 0; i < 12; ++i) AppendFiller(first, i);
  for (int64_t i = 0; i < 12; ++i) AppendFiller(second, i);
  int64_t filled = 0;
  const auto freed_as_it_fills = [&](uint64_t more_than) {
    return Eventually([&] {
      AppendFiller(third, filled++);
      return store().GetJournalStats().freed > more_than;
    });
  };
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  ASSERT_TRUE(freed_as_it_fills(0));
  const uint64_t freed = store().GetJournalStats().freed;
  ASSERT_TRUE(store().DropLog(PartitionUid(2)).ok());
  EXPECT_EQ(store().GetJournalStats().freed, freed);  // it pauses
  EXPECT_TRUE(freed_as_it_fills(freed));
}

// The newest segments are left alone: what lives there may die soon by itself.
TEST_F(JournalCleanerTest, NothingIsMovedOutOfTheNewestSegments) {
  Fill(4);
  ASSERT_LE(on_disk_.SegmentNames().size(), 3U);
  DropTheDying();
  EXPECT_EQ(store().GetJournalStats().moved_bytes, 0U);
  EXPECT_EQ(store().GetJournalStats().freed, 0U);
}

TEST_F(JournalCleanerTest, ASegmentOfWhichTooMuchLivesIsLeftAsItIs) {
  const LogId dying = Create(1);
  const LogId kept = Create(2);
  for (int64_t i = 0; i < 20; ++i) {  // in equal parts
    AppendFiller(dying, i);
    AppendFiller(kept, i);
  }
  const size_t before = on_disk_.SegmentNames().size();
  DropTheDying();
  EXPECT_EQ(store().GetJournalStats().moved_bytes, 0U);
  EXPECT_GE(on_disk_.SegmentNames().size(), before);
}

// The segment holds a damaged batch, too: so it is not freed, and nothing is written to tables
// behind the move.
TEST_F(JournalCleanerTest, WhatWasMovedIsReadTheSameAfterAReplay) {
  const std::vector<LogId> logs =
      *store().CreateLogs({PartitionUid(1), PartitionUid(2), PartitionUid(3), PartitionUid(4)});
  kept_ = logs[1];
  AppendFiller(logs[0], 0);
  AppendKept(kept_, 0);
  AppendFiller(logs[0], 1);
  AppendKept(logs[2], 0, 5);
  AppendKept(kept_, 1);
  for (int64_t i = 2; i < 11; ++i) AppendFiller(logs[3], i);
  ASSERT_TRUE(store().Flush().ok());  // groups in tables may rot
  const auto places = on_disk_.PlacesOf(Kept(0, 5));
  ASSERT_EQ(places.size(), 1U);
  ASSERT_EQ(places[0].name, SegmentOf(Kept(0)));
  ASSERT_TRUE(on_disk_.disk().FlipStoredBit(JournalStore::PathOf(places[0].name),
                                            places[0].position + 100));
  const std::string told = Told(kept_);
  Trim(logs[0], 2);
  EXPECT_EQ(store().GetJournalStats().moved_bytes, 2 * Kept(0).bytes.size());
  EXPECT_EQ(store().GetJournalStats().freed, 0U);
  EXPECT_EQ(Told(kept_), told);
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(store().GetJournalStats().replayed_groups, 2U);  // the trim, and the move
  EXPECT_EQ(Told(kept_), told);
}

// What the freed segments held is needed by nobody who opens the store later: the tables know where
// everything is.
TEST_F(JournalCleanerTest, TablesAreWrittenBeforeASegmentIsUsedAgain) {
  Fill(40);
  const std::string first = SegmentOf(Kept(0));
  Trim(dying_, 40);
  ASSERT_GE(store().GetJournalStats().freed, 17U);
  ASSERT_TRUE(Eventually([&] { return !on_disk_.IsThere(first); }));
  for (int64_t i = 40; i < 60; ++i) AppendKept(kept_, i);
  const std::string told = Told(kept_);
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Told(kept_), told);
}

TEST_F(JournalCleanerTest, AReaderKeepsTheFileOfAFreeSegmentAsItIs) {
  const LogId log_id = Create(1);
  for (int64_t i = 0; i < 20; ++i) AppendFiller(log_id, i);
  const std::string name = SegmentOf(Filler(3));
  const std::string content = on_disk_.Content(name);
  StallReadsOf(name);
  auto read = std::async(std::launch::async, [&] {
    return store().Read(log_id, Offset(3), Offset(4), size_t{1} << 30);
  });
  WaitForAStalledRead();
  // Everything dies, and more is written than spares could hold.
  Trim(log_id, 20);
  ASSERT_GE(store().GetJournalStats().freed, 5U);
  for (int64_t i = 20; i < 60; ++i) AppendFiller(log_id, i);
  on_disk_.disk().SetHook({});  // the read that stalls goes on stalling
  EXPECT_EQ(on_disk_.Content(name), content);
  LetReadsGo();
  const auto batches = read.get();
  ASSERT_TRUE(batches.ok()) << batches.status();
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->front().bytes, Filler(3).bytes);
  // Nobody reads it any more.
  EXPECT_TRUE(Eventually([&] { return !on_disk_.IsThere(name); }));
}

TEST_F(JournalCleanerTest, ADamagedBatchKeepsItsSegment) {
  Fill(40);
  const auto places = on_disk_.PlacesOf(Kept(4));
  ASSERT_EQ(places.size(), 1U);
  const std::string name = places[0].name;
  ASSERT_TRUE(on_disk_.disk().FlipStoredBit(JournalStore::PathOf(name), places[0].position + 100));
  const std::string content = on_disk_.Content(name);
  DropTheDying();
  EXPECT_GE(store().GetJournalStats().freed, 16U);
  EXPECT_EQ(on_disk_.Content(name), content);
  for (const bool reopened : {false, true}) {
    if (reopened) on_disk_.Reopen();
    store().WaitForTrimmer();
    EXPECT_EQ(on_disk_.Content(name), content);
    const auto read = store().Read(kept_, Offset(8), Offset::Max(), size_t{1} << 30);
    EXPECT_EQ(DamagedPlaceOf(read.status()), (DamagedBatch{Offset(8), Offset(9)}));
    const auto before = store().Read(kept_, Offset(0), Offset::Max(), size_t{1} << 30);
    ASSERT_TRUE(before.ok());
    ASSERT_EQ(before->size(), 4U);
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ((*before)[static_cast<size_t>(i)].bytes, Kept(i).bytes);
    }
    const auto behind = store().Read(kept_, Offset(10), Offset::Max(), size_t{1} << 30);
    ASSERT_TRUE(behind.ok());
    EXPECT_EQ(behind->size(), 35U);
  }
}

TEST_F(JournalCleanerTest, ALogThatWasCutAndGrewAgainIsMovedAsItIsNow) {
  Fill(40);
  LogMutation cut;
  cut.truncate_to = Offset(20);
  Write(kept_, std::move(cut));
  for (int64_t i = 10; i < 40; ++i) {
    AppendFiller(dying_, i + 30);
    AppendKept(kept_, i, 9);
  }
  const std::string told = Told(kept_);
  DropTheDying();
  EXPECT_GE(store().GetJournalStats().freed, 30U);
  EXPECT_EQ(Told(kept_), told);
  LogMutation again;
  again.truncate_to = Offset(30);
  Write(kept_, std::move(again));
  for (int64_t i = 15; i < 20; ++i) AppendKept(kept_, i, 11);
  const std::string after = Told(kept_);
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Told(kept_), after);
  EXPECT_EQ(store().Recover(kept_)->log_end_offset, Offset(40));
}

// The cleaner has begun to read what it is to move, and does not get on: what happens to the log
// meanwhile is not undone by the move.
class MoveUnderWayTest : public JournalCleanerTest {
 protected:
  // The first segment holds batches 0 and 1 of the log that stays, and is being read.
  void BeginToMove() {
    Fill(12);
    name_ = SegmentOf(Kept(0));
    ASSERT_EQ(SegmentOf(Kept(1)), name_);
    StallReadsOf(name_);
    ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
    WaitForAStalledRead();
  }
  void EndTheMove() {
    LetReadsGo();
    store().WaitForTrimmer();
    EXPECT_GE(store().GetJournalStats().freed, 3U);
    EXPECT_TRUE(Eventually([&] { return !on_disk_.IsThere(name_); }));
  }
  void ExpectTheSameAfterAPowerLoss(const std::string& told) {
    EXPECT_EQ(Told(kept_), told);
    on_disk_.LosePower();
    on_disk_.Open();
    EXPECT_EQ(Told(kept_), told);
  }
  std::vector<int64_t> Bases() {
    const auto batches = store().Read(kept_, Offset(0), Offset::Max(), size_t{1} << 30);
    EXPECT_TRUE(batches.ok()) << batches.status();
    std::vector<int64_t> bases;
    for (const StoredBatch& batch : *batches) bases.push_back(batch.base_offset.value());
    return bases;
  }

  std::string name_;
};

TEST_F(MoveUnderWayTest, WhatIsCutOffMeanwhileStaysCutOff) {
  BeginToMove();
  LogMutation cut;
  cut.truncate_to = Offset(2);
  Write(kept_, std::move(cut));
  EndTheMove();
  EXPECT_THAT(Bases(), ElementsAre(0));
  ExpectTheSameAfterAPowerLoss(Told(kept_));
}

TEST_F(MoveUnderWayTest, WhatTakesThePlaceOfWhatWasCutOffStays) {
  BeginToMove();
  LogMutation cut;
  cut.truncate_to = Offset(2);
  cut.appends = {Kept(1, 9)};  // under the same last offset
  Write(kept_, std::move(cut));
  EndTheMove();
  const auto batches = store().Read(kept_, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(batches.ok()) << batches.status();
  ASSERT_EQ(batches->size(), 2U);
  EXPECT_EQ((*batches)[0].bytes, Kept(0).bytes);
  EXPECT_EQ((*batches)[1].bytes, Kept(1, 9).bytes);
  ExpectTheSameAfterAPowerLoss(Told(kept_));
}

TEST_F(MoveUnderWayTest, ARepairOfMeanwhileStays) {
  BeginToMove();
  LogMutation repair;
  repair.repairs = {Kept(1, 9)};  // what a peer has there
  Write(kept_, std::move(repair));
  EndTheMove();
  const auto batches = store().Read(kept_, Offset(2), Offset(4), size_t{1} << 30);
  ASSERT_TRUE(batches.ok()) << batches.status();
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ((*batches)[0].bytes, Kept(1, 9).bytes);
  ExpectTheSameAfterAPowerLoss(Told(kept_));
}

TEST_F(MoveUnderWayTest, WhatIsTrimmedMeanwhileStaysTrimmed) {
  BeginToMove();
  LogMutation trim;
  trim.state = PartitionState{.log_start_offset = Offset(2), .high_watermark = Offset(22)};
  Write(kept_, std::move(trim));
  store().PublishTrim(kept_, Offset(2));
  EndTheMove();
  EXPECT_THAT(Bases(), ElementsAre(2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22));
  ExpectTheSameAfterAPowerLoss(Told(kept_));
}

TEST_F(MoveUnderWayTest, ALogThatIsDroppedMeanwhileStaysDropped) {
  BeginToMove();
  ASSERT_TRUE(store().DropLog(PartitionUid(2)).ok());
  EndTheMove();
  EXPECT_FALSE(store().FindLog(PartitionUid(2)).has_value());
  const LogId fresh = Create(2);
  EXPECT_EQ(store().Recover(fresh)->log_end_offset, Offset(0));
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(store().FindLog(PartitionUid(2)), fresh);
  EXPECT_EQ(store().Recover(fresh)->log_end_offset, Offset(0));
}

// Appends of others go on, and so does the end of the log that is being moved.
TEST_F(MoveUnderWayTest, AppendsGoOn) {
  BeginToMove();
  for (int64_t i = 12; i < 20; ++i) AppendKept(kept_, i);
  const LogId other = Create(3);
  for (int64_t i = 0; i < 12; ++i) AppendFiller(other, i);
  EndTheMove();
  EXPECT_EQ(Bases().size(), 20U);
  EXPECT_EQ(store().Read(other, Offset(0), Offset::Max(), size_t{1} << 30)->size(), 12U);
  ExpectTheSameAfterAPowerLoss(Told(kept_));
}

}  // namespace
}  // namespace quipu
