// Goal: batches of one log and group lie under one key, which costs a fraction of their own; where
// a run is cut, moved, repaired or damaged, no batch of it is lost or comes back. Method: a store
// on a disk in memory; values that are changed in the database of a store that is closed.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rocksdb/db.h"
#include "storage/batch_run.h"
#include "storage/journal/journal_reader.h"
#include "storage/log_recovery.h"
#include "storage/rocksdb/log_families.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"
#include "tests/unit/storage/rocksdb/journal_store.h"

namespace quipu {
namespace {

using conformance::MakeBatch;
using ::testing::ElementsAre;

class JournalRunsTest : public ::testing::Test {
 protected:
  RocksdbLogStore& store() { return on_disk_.store(); }
  static StoredBatch Small(int64_t offset, char mark = 0) {
    return MakeBatch({.base = Offset(offset),
                      .timestamp = TimestampMs(1000 + offset),
                      .value_bytes = 200 + static_cast<size_t>(mark)});
  }
  static LogMutation Appends(int64_t from, int64_t end) {
    LogMutation mutation;
    for (int64_t i = from; i < end; ++i) mutation.appends.push_back(Small(i));
    return mutation;
  }
  void Write(const std::vector<LogWrite>& group) {
    const absl::Status status = store().Write(group);
    ASSERT_TRUE(status.ok()) << status;
  }
  static LogMutation Cut(int64_t to) {
    LogMutation mutation;
    mutation.truncate_to = Offset(to);
    return mutation;
  }
  std::vector<int64_t> Bases(LogId log_id, int64_t from = 0, int64_t end = INT64_MAX) {
    const auto batches = store().Read(log_id, Offset(from), Offset(end), size_t{1} << 30);
    EXPECT_TRUE(batches.ok()) << batches.status();
    std::vector<int64_t> bases;
    for (const StoredBatch& batch : batches.value_or(std::vector<StoredBatch>{})) {
      bases.push_back(batch.base_offset.value());
    }
    return bases;
  }
  static std::vector<int64_t> Range(int64_t from, int64_t end) {
    std::vector<int64_t> range;
    for (int64_t i = from; i < end; ++i) range.push_back(i);
    return range;
  }

  // With the store closed.
  void InDatabase(const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle*)>& work) {
    ASSERT_TRUE(store().Flush().ok());
    on_disk_.Close();
    rocksdb::DBOptions options = DatabaseOptions();
    options.env = &on_disk_.env();
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : RocksdbLogStore::FamilyNames()) {
      families.emplace_back(name, SmallFamilyOptions(BlockCache()));
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, JournalStore::database(), families, &handles, &db).ok());
    work(*db, handles[kLog]);
    ASSERT_TRUE(db->Flush({}, handles[kLog]).ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
    on_disk_.Open();
  }
  // Last offsets of the keys of a log.
  std::vector<int64_t> Keys(LogId log_id) {
    std::vector<int64_t> keys;
    InDatabase([&](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
      const std::unique_ptr<rocksdb::Iterator> it(db.NewIterator({}, family));
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
        const auto key = DecodeLogKey(ToView(it->key()));
        if (key.has_value() && key->log_id == log_id) keys.push_back(key->last_offset.value());
      }
    });
    return keys;
  }
  void SetValue(LogId log_id, int64_t last_offset, const std::function<void(std::string&)>& set) {
    InDatabase([&](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
      const LogKey key = EncodeLogKey(log_id, Offset(last_offset));
      std::string value;
      ASSERT_TRUE(db.Get({}, family, ToSlice(key.view()), &value).ok());
      set(value);
      rocksdb::WriteOptions unlogged;
      unlogged.disableWAL = true;
      ASSERT_TRUE(db.Put(unlogged, family, ToSlice(key.view()), value).ok());
    });
  }

  JournalStore on_disk_;
  LogId first_ = *store().CreateLog(PartitionUid(1));
  LogId second_ = *store().CreateLog(PartitionUid(2));
};

// Also when the writes of a group take turns.
TEST_F(JournalRunsTest, BatchesOfALogAndGroupLieUnderOneKey) {
  Write({{first_, Appends(0, 3)},
         {second_, Appends(0, 2)},
         {first_, Appends(3, 6)},
         {second_, Appends(2, 4)}});
  Write({{first_, Appends(6, 8)}});
  EXPECT_THAT(Keys(first_), ElementsAre(5, 7));
  EXPECT_THAT(Keys(second_), ElementsAre(3));
  EXPECT_EQ(Bases(first_), Range(0, 8));
  EXPECT_EQ(Bases(second_), Range(0, 4));
  EXPECT_EQ(Bases(first_, 2, 5), Range(2, 5));
  EXPECT_EQ(Bases(first_, 4, 7), Range(4, 7));
}

TEST_F(JournalRunsTest, ARunHasALimit) {
  const auto most = static_cast<int64_t>(kRunBatchesMax);
  Write({{first_, Appends(0, most + 10)}});
  EXPECT_THAT(Keys(first_), ElementsAre(most - 1, most + 9));
  LogMutation large;
  for (int64_t i = 0; i < 3; ++i) {
    large.appends.push_back(MakeBatch({.base = Offset(i), .value_bytes = kRunBytesMax / 4 + 1}));
  }
  large.appends.push_back(MakeBatch({.base = Offset(3), .value_bytes = kRunBytesMax / 4 + 1}));
  Write({{second_, large}});
  EXPECT_THAT(Keys(second_), ElementsAre(2, 3));
}

TEST_F(JournalRunsTest, WhatACutLeavesOfARunHasAKeyOfItsOwn) {
  Write({{first_, Appends(0, 10)}});
  Write({{first_, Cut(7)}});
  EXPECT_EQ(Bases(first_), Range(0, 7));
  EXPECT_THAT(Keys(first_), ElementsAre(6));
  Write({{first_, Cut(1)}});
  EXPECT_THAT(Keys(first_), ElementsAre(0));
  Write({{first_, Appends(1, 4)}});
  EXPECT_EQ(Bases(first_), Range(0, 4));
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Bases(first_), Range(0, 4));
}

// The second one must see what the first has left.
TEST_F(JournalRunsTest, TwoCutsOfOneGroupLeaveWhatTheDeeperOneDoes) {
  Write({{first_, Appends(0, 10)}});
  Write({{first_, Cut(7)}, {first_, Cut(3)}});
  EXPECT_THAT(Keys(first_), ElementsAre(2));
  EXPECT_EQ(Bases(first_), Range(0, 3));
}

TEST_F(JournalRunsTest, ARepairTakesItsRunApart) {
  Write({{first_, Appends(0, 5)}});
  LogMutation repair;
  repair.repairs = {Small(1, 'a'), Small(2, 'b')};
  LogMutation behind = Appends(5, 7);
  Write({{first_, repair}, {first_, behind}});
  EXPECT_EQ(Bases(first_), Range(0, 7));
  EXPECT_THAT(Keys(first_), ElementsAre(0, 1, 2, 3, 4, 6));
  const auto read = store().Read(first_, Offset(1), Offset(4), size_t{1} << 30);
  ASSERT_TRUE(read.ok() && read->size() == 3);
  EXPECT_EQ((*read)[0].bytes.view(), Small(1, 'a').bytes.view());
  EXPECT_EQ((*read)[1].bytes.view(), Small(2, 'b').bytes.view());
  EXPECT_EQ((*read)[2].bytes.view(), Small(3).bytes.view());
}

// Behind a repair of the last batch the new ones begin a run: the old key may not become part of
// it.
TEST_F(JournalRunsTest, AppendsBehindARepairAreARunOfTheirOwn) {
  Write({{first_, Appends(0, 2)}});
  LogMutation repair;
  repair.repairs = {Small(1, 'a')};
  Write({{first_, Appends(2, 3)}, {first_, repair}, {first_, Appends(3, 5)}});
  EXPECT_THAT(Keys(first_), ElementsAre(0, 1, 2, 4));
  EXPECT_EQ(Bases(first_), Range(0, 5));
}

// One damaged batch from the first offset to the last: a part of it repairs nothing, and loses
// nothing of what a sound value would show again.
TEST_F(JournalRunsTest, ARunWithADamagedValueIsOneDamagedBatch) {
  Write({{first_, Appends(0, 2)}});
  Write({{first_, Appends(2, 6)}});
  Write({{first_, Appends(6, 8)}});
  std::string sound;
  std::string damaged;
  SetValue(first_, 5, [&](std::string& value) {
    sound = value;
    value[15] = static_cast<char>(value[15] ^ 1);
    damaged = value;
  });
  EXPECT_EQ(Bases(first_, 0, 2), Range(0, 2));
  EXPECT_EQ(Bases(first_, 6), Range(6, 8));
  for (const int64_t from : {2, 4, 5}) {
    const auto read = store().Read(first_, Offset(from), Offset::Max(), 1);
    EXPECT_EQ(DamagedPlaceOf(read.status()), (DamagedBatch{Offset(2), Offset(5)})) << from;
  }
  const auto recovered = store().Recover(first_);
  ASSERT_TRUE(recovered.ok());
  EXPECT_THAT(recovered->damaged, ElementsAre(DamagedBatch{Offset(2), Offset(5)}));
  EXPECT_EQ(recovered->log_end_offset, Offset(8));
  LogMutation part;
  part.repairs = {Small(5)};
  Write({{first_, part}});
  SetValue(first_, 5, [&](std::string& value) {
    EXPECT_EQ(value, damaged);
    value = sound;
  });
  EXPECT_EQ(Bases(first_), Range(0, 8));
  SetValue(first_, 5, [](std::string& value) { value.pop_back(); });
  LogMutation whole;
  whole.repairs = {MakeBatch({.base = Offset(2), .records = 4})};
  Write({{first_, whole}});
  EXPECT_THAT(Bases(first_), ElementsAre(0, 1, 2, 6, 7));
}

// All of a run moves, but for what is below the log start, and no key stays behind.
TEST_F(JournalRunsTest, ARunIsMovedAsAWhole) {
  const LogId dying = *store().CreateLog(PartitionUid(3));
  for (int64_t i = 0; i < 12; ++i) {
    LogMutation filler;
    filler.appends = {MakeBatch({.base = Offset(i), .value_bytes = 24 << 10})};
    Write({{dying, filler}, {first_, Appends(5 * i, 5 * i + 5)}});
  }
  LogMutation trim;
  trim.state = PartitionState{.log_start_offset = Offset(7)};
  Write({{first_, trim}});
  store().PublishTrim(first_, Offset(7));
  ASSERT_TRUE(store().DropLog(PartitionUid(3)).ok());
  store().WaitForTrimmer();
  EXPECT_GE(store().GetJournalStats().moved_bytes, 20 * Small(0).bytes.size());
  EXPECT_EQ(Bases(first_), Range(7, 60));
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Bases(first_), Range(7, 60));
  Write({{first_, Cut(33)}});
  EXPECT_EQ(Bases(first_), Range(7, 33));
}

// The cleaner has read the run when it is cut: what is left of it has another key, and lies in the
// segment all the same.
TEST_F(JournalRunsTest, WhatIsLeftOfARunThatIsCutMeanwhileIsMovedToo) {
  const LogId dying = *store().CreateLog(PartitionUid(3));
  const auto fill = [&](int64_t i) {
    LogMutation filler;
    filler.appends = {MakeBatch({.base = Offset(i), .value_bytes = 24 << 10})};
    return LogWrite{.log_id = dying, .mutation = filler};
  };
  Write({fill(0), {first_, Appends(0, 10)}});
  for (int64_t i = 1; i < 8; ++i) Write({fill(i)});
  const std::string segment = on_disk_.PlacesOf(Small(0)).at(0).name;
  on_disk_.disk().SetHook([path = JournalStore::PathOf(segment)](const faultfs::Call& call) {
    const bool stalls = call.kind == faultfs::CallKind::kRead && call.path == path;
    return stalls ? faultfs::Fault::kStall : faultfs::Fault::kNone;
  });
  ASSERT_TRUE(store().DropLog(PartitionUid(3)).ok());
  ASSERT_TRUE(Eventually([this] { return on_disk_.disk().stalled() > 0; }));
  Write({{first_, Cut(7)}});
  on_disk_.disk().SetHook({});
  on_disk_.disk().EndStalls();
  store().WaitForTrimmer();
  EXPECT_TRUE(Eventually([&] { return !on_disk_.IsThere(segment); }));
  EXPECT_EQ(Bases(first_), Range(0, 7));
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Bases(first_), Range(0, 7));
}

// A segment that an older program wrote holds no runs, and gets none.
TEST_F(JournalRunsTest, NothingIsWrittenBehindGroupsOfAnOlderVersion) {
  Write({{first_, Appends(0, 1)}});
  on_disk_.Close();
  const std::string name = on_disk_.PlacesOf(Small(0)).at(0).name;
  auto header = *DecodeSegmentHeader(on_disk_.Content(name));
  header.version = kOldestSegmentVersion;
  auto file = on_disk_.files().OpenExisting(JournalStore::PathOf(name));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(0, EncodeSegmentHeader(header)).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  const std::string old = on_disk_.Content(name);
  on_disk_.Open();
  EXPECT_EQ(Bases(first_), Range(0, 1));
  on_disk_.Reopen();
  Write({{first_, Appends(1, 4)}});
  EXPECT_TRUE(on_disk_.Content(name) == old);
  const std::string next = on_disk_.PlacesOf(Small(1)).at(0).name;
  EXPECT_NE(next, name);
  EXPECT_EQ(DecodeSegmentHeader(on_disk_.Content(next))->version, kSegmentVersion);
  on_disk_.LosePower();
  on_disk_.Open();
  EXPECT_EQ(Bases(first_), Range(0, 4));
}

}  // namespace
}  // namespace quipu
