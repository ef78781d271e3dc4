// Goal: space that retention and deletion free is given back to the file system, with no new write.
// Method: real files, a trimmer with low thresholds, and the bytes of the folder before and after.
#include <chrono>
#include <filesystem>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu {
namespace {

using conformance::MakeBatch;
using conformance::RocksdbStoreUnderTest;
namespace fs = std::filesystem;

constexpr int64_t kMiB = 1 << 20;

class SpaceTest : public ::testing::Test {
 protected:
  LogId Create(uint64_t uid) { return *store().CreateLog(PartitionUid(uid)); }
  RocksdbLogStore& store() { return under_test_.rocksdb_store(); }
  // Appends `count` batches of 64 KiB to each log in turn, so that they share files.
  void Fill(const std::vector<LogId>& logs, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      std::vector<LogWrite> group;
      for (const LogId log_id : logs) {
        LogWrite write{.log_id = log_id, .mutation = {}};
        write.mutation.appends = {MakeBatch({.base = Offset(i), .value_bytes = 64 * 1024})};
        group.push_back(std::move(write));
      }
      ASSERT_TRUE(store().Write(group).ok());
    }
  }
  void Trim(LogId log_id, int64_t log_start) {
    LogWrite write{.log_id = log_id, .mutation = {}};
    write.mutation.state = PartitionState{.log_start_offset = Offset(log_start)};
    ASSERT_TRUE(store().Write({write}).ok());
    store().PublishTrim(log_id, Offset(log_start));
    store().WaitForTrimmer();
  }
  [[nodiscard]] int64_t DiskBytes() const {
    int64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(under_test_.database_path())) {
      std::error_code gone;  // RocksDB may remove a file at any time
      const auto size = entry.file_size(gone);
      const std::string kind = entry.path().extension();
      if (!gone && (kind == ".blob" || kind == ".sst" || kind == ".log")) {
        bytes += static_cast<int64_t>(size);
      }
    }
    return bytes;
  }
  // RocksDB removes obsolete files in the background; the deadline only bounds a failing test.
  [[nodiscard]] bool FallsBelow(int64_t bytes) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (DiskBytes() >= bytes) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  RocksdbStoreUnderTest under_test_;
};

TEST_F(SpaceTest, RetentionGivesSpaceBack) {
  const LogId log_id = Create(1);
  Fill({log_id}, 160);
  ASSERT_TRUE(store().Flush().ok());
  ASSERT_GT(DiskBytes(), 9 * kMiB);
  Trim(log_id, 150);
  EXPECT_TRUE(FallsBelow(2 * kMiB)) << DiskBytes();
  const auto rest = store().Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->size(), 10U);
  EXPECT_EQ(rest->front().base_offset, Offset(150));
}

TEST_F(SpaceTest, DeletionOfTheOnlyLogGivesAllSpaceBack) {
  const LogId log_id = Create(1);
  Fill({log_id}, 160);
  ASSERT_TRUE(store().Flush().ok());
  ASSERT_GT(DiskBytes(), 9 * kMiB);
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  store().WaitForTrimmer();
  EXPECT_TRUE(FallsBelow(kMiB / 4)) << DiskBytes();
}

TEST_F(SpaceTest, LogDroppedFromMemoryTablesGivesSpaceBack) {
  const LogId log_id = Create(1);
  Fill({log_id}, 160);
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  store().WaitForTrimmer();
  ASSERT_TRUE(store().Flush().ok());  // the other families hold the WAL
  EXPECT_TRUE(FallsBelow(kMiB / 4)) << DiskBytes();
}

TEST_F(SpaceTest, LivingNeighbourInTheSameFilesSurvivesAndSpaceIsGivenBack) {
  const LogId dead = Create(1);
  const LogId large = Create(2);
  const LogId alive = Create(3);
  Fill({dead, large, alive}, 80);
  ASSERT_TRUE(store().Flush().ok());
  const int64_t before = DiskBytes();
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  ASSERT_TRUE(store().DropLog(PartitionUid(2)).ok());
  store().WaitForTrimmer();
  EXPECT_TRUE(FallsBelow(before / 2)) << DiskBytes() << " of " << before;
  const auto rest = store().Read(alive, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->size(), 80U);
}

TEST_F(SpaceTest, DropIsFinishedAfterAReopen) {
  const LogId log_id = Create(1);
  const LogId other = Create(2);
  Fill({log_id, other}, 80);
  ASSERT_TRUE(store().Flush().ok());
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  ASSERT_TRUE(store().DropLog(PartitionUid(2)).ok());
  under_test_.Reopen();
  store().WaitForTrimmer();
  EXPECT_TRUE(FallsBelow(kMiB / 4)) << DiskBytes();
}

TEST_F(SpaceTest, RecreatedPartitionIsNotTouchedByTheDropOfItsFormerLife) {
  Fill({Create(1)}, 40);
  ASSERT_TRUE(store().DropLog(PartitionUid(1)).ok());
  const LogId fresh = Create(1);
  Fill({fresh}, 10);
  store().WaitForTrimmer();
  ASSERT_TRUE(store().Flush().ok());
  const auto rest = store().Read(fresh, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->size(), 10U);
}

TEST(TrimTableTest, JudgesByLogAndOffset) {
  TrimTable table;
  EXPECT_FALSE(table.Snapshot()->IsDead(LogId(1), Offset(0)));  // nothing published yet
  table.Publish({.log_starts = {{LogId(2), Offset(10)}}, .next_log_id = LogId(5)});
  const auto view = table.Snapshot();
  EXPECT_TRUE(view->IsDead(LogId(1), Offset(100)));
  EXPECT_TRUE(view->IsDead(LogId(2), Offset(9)));
  EXPECT_FALSE(view->IsDead(LogId(2), Offset(10)));
  EXPECT_FALSE(view->IsDead(LogId(5), Offset(0)));  // younger than the view
}

TEST(TrimTableTest, LogStartNeverFalls) {
  TrimTable table;
  table.AddLog(LogId(1));
  table.RaiseLogStart(LogId(1), Offset(10));
  table.RaiseLogStart(LogId(1), Offset(5));
  EXPECT_TRUE(table.Snapshot()->IsDead(LogId(1), Offset(9)));
}

TEST(TrimTableTest, SnapshotDoesNotChangeAfterwards) {
  TrimTable table;
  table.AddLog(LogId(1));
  const auto before = table.Snapshot();
  table.RemoveLog(LogId(1));
  EXPECT_FALSE(before->IsDead(LogId(1), Offset(0)));
  EXPECT_TRUE(table.Snapshot()->IsDead(LogId(1), Offset(0)));
}

}  // namespace
}  // namespace quipu
