// Goal: a start frees no segment of which it does not know that nothing lives there, and forgets
// none of which it does. Method: the records of segments ('J') looked at, and taken away, in the
// closed database.
#include <algorithm>
#include <future>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/rocksdb/log_families.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"
#include "tests/unit/storage/rocksdb/journal_store.h"

namespace quipu {
namespace {

using conformance::MakeBatch;
using faultfs::Call;
using faultfs::CallKind;
using faultfs::Fault;

// The database by itself.
class RawDatabase {
 public:
  explicit RawDatabase(rocksdb::Env& env) {
    rocksdb::DBOptions options = DatabaseOptions();
    options.env = &env;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : RocksdbLogStore::FamilyNames()) {
      families.emplace_back(name, SmallFamilyOptions(BlockCache()));
    }
    rocksdb::DB* raw = nullptr;
    const rocksdb::Status status =
        rocksdb::DB::Open(options, JournalStore::database(), families, &handles_, &raw);
    EXPECT_TRUE(status.ok()) << status.ToString();
    db_.reset(raw);
  }
  ~RawDatabase() {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      EXPECT_TRUE(db_->DestroyColumnFamilyHandle(handle).ok());
    }
  }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;
  // Segments of which something is written down.
  std::map<uint64_t, SegmentUse> Uses() {
    std::map<uint64_t, SegmentUse> uses;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, handles_[kMeta]));
    for (it->Seek(ToSlice(EncodeSegmentUseKey(0).view())); it->Valid(); it->Next()) {
      const auto segment = DecodeSegmentUseKey(ToView(it->key()));
      if (!segment.has_value()) break;
      uses[*segment] = DecodeSegmentUse(ToView(it->value())).value();
    }
    return uses;
  }
  void Forget(uint64_t segment) {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    ASSERT_TRUE(
        db_->Delete(options, handles_[kMeta], ToSlice(EncodeSegmentUseKey(segment).view())).ok());
    ASSERT_TRUE(db_->Flush({}, handles_[kMeta]).ok());
  }

 private:
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<rocksdb::DB> db_;
};

class JournalStartTest : public ::testing::Test {
 protected:
  RocksdbLogStore& store() { return on_disk_.store(); }
  LogId Create(uint64_t uid) { return *store().CreateLog(PartitionUid(uid)); }
  static StoredBatch Batch(int64_t offset) {
    return MakeBatch({.base = Offset(offset), .value_bytes = 16 << 10});
  }
  void Append(LogId log_id, int64_t from, int64_t end) {
    for (int64_t i = from; i < end; ++i) {
      LogWrite write{.log_id = log_id, .mutation = {}};
      write.mutation.appends = {Batch(i)};
      ASSERT_TRUE(store().Write({write}).ok());
    }
  }
  void Trim(LogId log_id, int64_t log_start) {
    LogWrite write{.log_id = log_id, .mutation = {}};
    write.mutation.state = PartitionState{.log_start_offset = Offset(log_start)};
    ASSERT_TRUE(store().Write({write}).ok());
    store().PublishTrim(log_id, Offset(log_start));
    store().WaitForTrimmer();
  }
  void ExpectAll(LogId log_id, int64_t from, int64_t end) {
    const auto batches = store().Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
    ASSERT_TRUE(batches.ok()) << batches.status();
    ASSERT_EQ(batches->size(), static_cast<size_t>(end - from));
    for (int64_t i = from; i < end; ++i) {
      EXPECT_EQ((*batches)[static_cast<size_t>(i - from)].bytes, Batch(i).bytes);
    }
  }

  JournalStore on_disk_;
};

TEST_F(JournalStartTest, ASegmentOfWhichNothingIsWrittenDownIsNeverFree) {
  const LogId log_id = Create(1);
  Append(log_id, 0, 30);
  const std::vector<std::string> before = on_disk_.SegmentNames();
  on_disk_.Close();
  {
    RawDatabase database(on_disk_.env());
    ASSERT_GE(database.Uses().size(), 9U);
    database.Forget(3);
    database.Forget(5);
  }
  for (int start = 0; start < 3; ++start) {
    on_disk_.Open();
    store().WaitForTrimmer();
    EXPECT_EQ(store().GetJournalStats().freed, 0U);
    ExpectAll(log_id, 0, 30);
    Append(Create(2), start, start + 1);
    if (start == 1) {
      on_disk_.LosePower();
    } else {
      on_disk_.Close();
    }
  }
  // Not even when all that is known is dead.
  on_disk_.Open();
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  store().WaitForTrimmer();
  EXPECT_TRUE(on_disk_.IsThere(before[2]));
  EXPECT_TRUE(on_disk_.IsThere(before[4]));
  EXPECT_TRUE(Eventually([&] { return !on_disk_.IsThere(before[3]); }));
}

// A group without batches is known as well as any: the segment of which it is the last goes.
TEST_F(JournalStartTest, ASegmentWithoutBatchesIsKnownToBeEmpty) {
  for (int64_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(store().PutValue("newest", absl::StrCat(i)).ok());
  }
  on_disk_.Reopen();
  store().WaitForTrimmer();
  EXPECT_TRUE(Eventually([&] { return on_disk_.SegmentNames().size() <= 2; }));
}

// One is ready when a group comes that is too large for it, and gives way to a larger one; the
// power goes before it is put away.
TEST_F(JournalStartTest, ASegmentThatWasNeverUsedIsKnownToBeEmpty) {
  const LogId log_id = Create(1);
  on_disk_.disk().SetHook([](const Call& call) {
    return call.kind == CallKind::kRename && call.path.find("/spare-2") != std::string::npos
               ? Fault::kStall
               : Fault::kNone;
  });
  LogWrite write{.log_id = log_id, .mutation = {}};
  write.mutation.appends = {MakeBatch({.base = Offset(0), .value_bytes = 100 << 10})};
  ASSERT_TRUE(store().Write({write}).ok());
  ASSERT_TRUE(store().Flush().ok());
  ASSERT_TRUE(Eventually([this] { return on_disk_.disk().stalled() > 0; }));
  on_disk_.disk().SetHook({});
  on_disk_.LosePower();
  ASSERT_TRUE(on_disk_.IsThere(SegmentFileName(2)));
  on_disk_.Open();
  store().WaitForTrimmer();
  EXPECT_TRUE(Eventually([&] { return !on_disk_.IsThere(SegmentFileName(2)); }));
  EXPECT_EQ(store().Recover(log_id)->log_end_offset, Offset(1));
}

// Freed while somebody reads, so that the files keep their names; then the power goes.
TEST_F(JournalStartTest, WhatWasFreeAndNotPutAwayIsFreeAtTheNextStart) {
  const LogId log_id = Create(1);
  Append(log_id, 0, 30);
  const std::vector<std::string> names = on_disk_.SegmentNames();
  on_disk_.disk().SetHook([&](const Call& call) {
    return call.kind == CallKind::kRead && call.path == JournalStore::PathOf(names[1])
               ? Fault::kStall
               : Fault::kNone;
  });
  auto read = std::async(std::launch::async, [&] {
    return store().Read(log_id, Offset(4), Offset(5), size_t{1} << 30).status();
  });
  ASSERT_TRUE(Eventually([this] { return on_disk_.disk().stalled() > 0; }));
  Trim(log_id, 29);
  ASSERT_GE(store().GetJournalStats().freed, 8U);
  Append(log_id, 30, 40);
  Trim(log_id, 39);  // others go, behind it
  ASSERT_GE(store().GetJournalStats().freed, 11U);
  on_disk_.disk().SetHook({});
  on_disk_.disk().CutPower();  // the reader goes on, and nothing remains of it
  read.get().IgnoreError();
  on_disk_.LosePower();
  ASSERT_TRUE(on_disk_.IsThere(names[3]));
  on_disk_.Open();
  store().WaitForTrimmer();
  EXPECT_TRUE(Eventually([&] { return on_disk_.SegmentNames().size() <= 3; }));
  ExpectAll(log_id, 39, 40);
}

// What is written down of a segment goes once its file does.
TEST_F(JournalStartTest, RecordsOfSegmentsDoNotHeapUp) {
  const LogId log_id = Create(1);
  for (int64_t i = 0; i < 100; ++i) {
    Append(log_id, i, i + 1);
    if (i >= 3) Trim(log_id, i - 3);
  }
  ASSERT_GE(store().GetJournalStats().freed, 30U);
  ASSERT_TRUE(Eventually([&] { return on_disk_.SegmentNames().size() <= 4; }));
  Append(log_id, 100, 110);
  Trim(log_id, 109);
  on_disk_.Close();
  EXPECT_LE(RawDatabase(on_disk_.env()).Uses().size(), 8U);
  on_disk_.Open();
  ExpectAll(log_id, 109, 110);
}

}  // namespace
}  // namespace quipu
