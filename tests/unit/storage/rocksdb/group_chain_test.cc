// Goal: a missing, changed or foreign group never looks like a sound chain.
// Method: batches sealed on a small database; and a database of which one family only was flushed.
#include "storage/rocksdb/group_chain.h"

#include <filesystem>
#include <memory>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "storage/file_watermark.h"
#include "storage/rocksdb/log_proof.h"
#include "storage/rocksdb/proven_db.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

class ProvenDbTest : public ::testing::Test {
 protected:
  ProvenDbTest() {
    EXPECT_TRUE(FileWatermark::Create(folder_.path() + "/watermark").ok());
    EXPECT_TRUE(Open().ok());
  }
  absl::Status Open(const std::string& identity = "me") {
    db_.reset();
    watermark_ = *FileWatermark::Open(folder_.path() + "/watermark");
    const auto cache = BlockCache();
    auto db = ProvenDb::Open(
        {.path = folder_.path() + "/db",
         .families = {{"default", SmallFamilyOptions(cache)}, {"other", SmallFamilyOptions(cache)}},
         .identity = identity,
         .fatal = [](const std::string& reason) { ADD_FAILURE() << reason; }},
        *watermark_);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    return absl::OkStatus();
  }
  void Put(size_t family, const std::string& key) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put(db_->family(family), key, "value").ok());
    ASSERT_TRUE(db_->Write(batch).ok());
  }
  std::vector<rocksdb::ColumnFamilyHandle*> Families() { return {db_->family(0), db_->family(1)}; }
  void RemoveWals() {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() + "/db")) {
      if (entry.path().extension() == ".log") std::filesystem::resize_file(entry.path(), 0);
    }
  }

  conformance::TemporaryFolder folder_;
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<ProvenDb> db_;
};

TEST_F(ProvenDbTest, SealedGroupIsReadBack) {
  rocksdb::WriteBatch batch;
  ASSERT_TRUE(batch.Put(db_->family(1), "a", "b").ok());
  const GroupRecord previous{.number = 6, .previous_chain = 1, .chain = 77};
  const GroupRecord sealed = SealGroup(batch, previous, Families());
  EXPECT_EQ(sealed.number, 7U);
  const auto read = ReadSealedGroup(batch.Data(), 2);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->number, 7U);
  EXPECT_EQ(read->previous_chain, 77U);
  EXPECT_EQ(read->chain, sealed.chain);
}

TEST_F(ProvenDbTest, EachChangedByteOfASealedGroupIsFound) {
  rocksdb::WriteBatch batch;
  ASSERT_TRUE(batch.Put(db_->family(1), "key", "some payload").ok());
  SealGroup(batch, GroupRecord{}, Families());
  const std::string sound = batch.Data();
  constexpr size_t kHeader = 12;          // sequence and count: RocksDB's own
  constexpr size_t kOtherFamilyPut = 22;  // repeats what the default family's record says
  for (size_t i = kHeader; i < sound.size(); ++i) {
    if (i >= sound.size() - 21 - kOtherFamilyPut && i < sound.size() - 21) continue;
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(ReadSealedGroup(damaged, 2).has_value()) << i;
  }
}

// What RocksDB hands over without a complaint is judged by the chain alone.
TEST_F(ProvenDbTest, S02AGroupThatDoesNotContinueTheOneBeforeBreaksTheChain) {
  GroupRecord last;
  const auto sealed = [&](const GroupRecord& previous) {
    rocksdb::WriteBatch batch;
    EXPECT_TRUE(batch.Put(db_->family(1), "key", "value").ok());
    last = SealGroup(batch, previous, Families());
    return batch;
  };
  const rocksdb::WriteBatch one = sealed({});
  const GroupRecord after_one = last;
  const auto breaks = [&](const rocksdb::WriteBatch& next) {
    ChainWalFilter filter(2);
    rocksdb::WriteBatch unused;
    bool changed = false;
    filter.LogRecordFound(1, "1.log", one, &unused, &changed);
    filter.LogRecordFound(1, "1.log", next, &unused, &changed);
    return !filter.broken().empty();
  };
  const rocksdb::WriteBatch two = sealed(after_one);
  EXPECT_FALSE(breaks(two));
  EXPECT_TRUE(breaks(sealed(last)));                        // group 3: there is no group 2
  EXPECT_TRUE(breaks(sealed({.number = 1, .chain = 77})));  // group 2 of another log
}

TEST_F(ProvenDbTest, UnsealedBatchIsNoGroup) {
  rocksdb::WriteBatch batch;
  ASSERT_TRUE(batch.Put("a", std::string(100, 'x')).ok());
  EXPECT_FALSE(ReadSealedGroup(batch.Data(), 2).has_value());
  EXPECT_FALSE(ReadSealedGroup("", 2).has_value());
}

TEST_F(ProvenDbTest, RecordThatIsNotOursIsUnproven) {
  Put(1, "a");
  rocksdb::WriteBatch foreign;
  ASSERT_TRUE(foreign.Put(db_->family(1), "b", "c").ok());
  ASSERT_TRUE(db_->db().Write(SyncedWrite(), &foreign).ok());
  Put(1, "d");
  EXPECT_EQ(CodeOf(Open()), ErrorCode::kUnprovenDirectory);
}

TEST_F(ProvenDbTest, ChainGoesOnOverFlushAndReopen) {
  for (int round = 0; round < 3; ++round) {
    Put(1, "a");
    ASSERT_TRUE(
        db_->db().Flush(rocksdb::FlushOptions(), db_->family(static_cast<size_t>(round % 2))).ok());
    Put(0, "b");
    const absl::Status status = Open();
    ASSERT_TRUE(status.ok()) << status;
  }
}

// The default family's table says "complete up to here"; the other one lived in the WAL only.
TEST_F(ProvenDbTest, OneFlushedFamilyDoesNotProveTheOther) {
  for (int i = 0; i < 10; ++i) Put(1, "key" + std::to_string(i));
  ASSERT_TRUE(db_->db().Flush(rocksdb::FlushOptions(), db_->family(0)).ok());
  db_.reset();
  RemoveWals();
  EXPECT_EQ(CodeOf(Open()), ErrorCode::kUnprovenDirectory);
}

TEST_F(ProvenDbTest, AllFlushedFamiliesNeedNoWal) {
  for (int i = 0; i < 10; ++i) Put(1, "key" + std::to_string(i));
  ASSERT_TRUE(db_->db().Flush(rocksdb::FlushOptions(), Families()[0]).ok());
  ASSERT_TRUE(db_->db().Flush(rocksdb::FlushOptions(), Families()[1]).ok());
  db_.reset();
  RemoveWals();
  const absl::Status status = Open();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ProvenDbTest, DatabaseOfAnotherDirectoryIsRefused) {
  EXPECT_EQ(CodeOf(Open("someone else")), ErrorCode::kInvalidConfig);
  EXPECT_TRUE(Open("me").ok());
}

}  // namespace
}  // namespace quipu
