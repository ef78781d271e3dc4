// Goal: the space of a journal's segments comes back when what they hold has died, with no new
// write, and is used again. Method: real files, and the bytes of the whole folder.
#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/journal/journal_format.h"
#include "tests/conformance/log_store_fixture.h"
#include "tests/unit/storage/rocksdb/journal_store.h"

namespace quipu {
namespace {

using conformance::MakeBatch;
using conformance::RocksdbStoreUnderTest;
namespace fs = std::filesystem;

constexpr uint64_t kSegment = RocksdbStoreUnderTest::kSegmentBytes;
constexpr size_t kSparesMax = 4;  // Journal::Options

class JournalSpaceTest : public ::testing::Test {
 protected:
  RocksdbLogStore& store() { return under_test_.rocksdb_store(); }
  LogId Create(uint64_t uid) { return *store().CreateLog(PartitionUid(uid)); }
  // Batches of 16 KiB: three fill a segment.
  void Append(LogId log_id, int64_t from, int64_t end) {
    for (int64_t i = from; i < end; ++i) {
      LogWrite write{.log_id = log_id, .mutation = {}};
      write.mutation.appends = {MakeBatch({.base = Offset(i), .value_bytes = 16 << 10})};
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
  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(under_test_.journal_path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  [[nodiscard]] size_t Count(const std::function<bool(const std::string&)>& which) const {
    const std::vector<std::string> names = Names();
    return static_cast<size_t>(std::count_if(names.begin(), names.end(), which));
  }
  [[nodiscard]] size_t Spares() const {
    return Count([](const std::string& name) {
      return name.starts_with("spare-") && !name.starts_with("spare-new-");
    });
  }
  // Segments that hold something, or may, and the one that is ready to be the next.
  [[nodiscard]] size_t Segments() const {
    return Count([](const std::string& name) { return SegmentOfFileName(name).has_value(); });
  }
  [[nodiscard]] uint64_t BytesOnDisk() const {
    uint64_t bytes = 0;
    for (const std::string& folder : {under_test_.journal_path(), under_test_.database_path()}) {
      for (const auto& entry : fs::directory_iterator(folder)) {
        std::error_code gone;  // files come and go
        const uint64_t size = entry.file_size(gone);
        if (!gone) bytes += size;
      }
    }
    return bytes;
  }

  RocksdbStoreUnderTest under_test_{/*journal=*/true};
};

TEST_F(JournalSpaceTest, RetentionFreesSegmentsWithNoNewWrite) {
  const LogId log_id = Create(1);
  Append(log_id, 0, 60);
  ASSERT_GE(Segments(), 20U);
  Trim(log_id, 59);
  EXPECT_GE(store().GetJournalStats().freed, 18U);
  // That of the last batch, and one that is ready.
  EXPECT_TRUE(Eventually([&] { return Segments() <= 3; })) << Segments();
  EXPECT_TRUE(Eventually([&] { return Spares() == kSparesMax; })) << Spares();
  EXPECT_EQ(store().GetJournalStats().spare_bytes, kSparesMax * kSegment);
  const auto rest = store().Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(rest.ok()) << rest.status();
  ASSERT_EQ(rest->size(), 1U);
  EXPECT_EQ(rest->front().bytes, MakeBatch({.base = Offset(59), .value_bytes = 16 << 10}).bytes);
}

TEST_F(JournalSpaceTest, DeletionOfTheOnlyLogFreesAllButTheNewestSegment) {
  const LogId log_id = Create(1);
  Append(log_id, 0, 60);
  const uint64_t before = BytesOnDisk();
  ASSERT_GT(before, 20 * kSegment);
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  store().WaitForTrimmer();
  EXPECT_TRUE(Eventually([&] { return Segments() <= 2; })) << Segments();
  EXPECT_TRUE(Eventually([&] { return BytesOnDisk() <= (kSparesMax + 4) * kSegment; }))
      << BytesOnDisk() << " of " << before;
}

TEST_F(JournalSpaceTest, WhatDiedBeforeAStartIsFreedByIt) {
  Append(Create(1), 0, 60);
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  under_test_.Reopen();
  store().WaitForTrimmer();
  EXPECT_TRUE(Eventually([&] { return Segments() <= 3; })) << Segments();
}

// The bound holds at each step, not only at the end: what is on the disk are the segments that
// hold something, one that is ready, and no more spares than there may be.
TEST_F(JournalSpaceTest, BytesOnDiskStopGrowingUnderAppendsAndTrims) {
  const LogId log_id = Create(1);
  std::set<uint64_t> used;
  uint64_t most = 0;
  for (int64_t i = 0; i < 150; ++i) {
    Append(log_id, i, i + 1);
    if (i >= 3) Trim(log_id, i - 3);
    ASSERT_LE(Spares(), kSparesMax);
    ASSERT_TRUE(Eventually([&] { return Segments() <= 4; })) << "step " << i << ": " << Segments();
    most = std::max(most, BytesOnDisk());
    for (const std::string& name : Names()) {
      if (const auto id = SegmentOfFileName(name)) used.insert(*id);
    }
  }
  EXPECT_LE(most, (4 + kSparesMax + 1) * kSegment + (uint64_t{1} << 20));  // and the tables
  const JournalStats stats = store().GetJournalStats();
  EXPECT_GE(used.size(), 50U);  // each with an id of its own
  EXPECT_GE(stats.recycled, 35U);
  EXPECT_LE(stats.made, 10U);
  EXPECT_EQ(stats.moved_bytes, 0U);
}

TEST_F(JournalSpaceTest, SparesAreUsedAgainByTheNextProcess) {
  const LogId log_id = Create(1);
  Append(log_id, 0, 60);
  Trim(log_id, 59);
  ASSERT_TRUE(Eventually([&] { return Spares() == kSparesMax; })) << Spares();
  under_test_.Reopen();
  Append(log_id, 60, 70);
  store().WaitForTrimmer();
  EXPECT_GE(store().GetJournalStats().recycled, 3U);
  EXPECT_LT(Spares(), kSparesMax);
  const auto batches = store().Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(batches->size(), 11U);
}

}  // namespace
}  // namespace quipu
