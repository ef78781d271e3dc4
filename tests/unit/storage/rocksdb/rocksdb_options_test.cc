// Goal: no option of RocksDB loses, reorders or repeats a synced write (D1, D2, D3). Most of them
// show only on a disk that fails at the right moment, so they are held to their values here, each
// with what went wrong elsewhere by another one.
#include "storage/rocksdb/rocksdb_options.h"

#include "gtest/gtest.h"

namespace quipu {
namespace {

TEST(RocksdbOptionsTest, EveryWriteIsSyncedToTheLog) {
  EXPECT_TRUE(SyncedWrite().sync);
  EXPECT_FALSE(SyncedWrite().disableWAL);
}

TEST(RocksdbOptionsTest, EveryReadIsChecked) { EXPECT_TRUE(CheckedRead().verify_checksums); }

TEST(RocksdbOptionsTest, S08NothingIsResumedAfterAnError) {
  EXPECT_EQ(DatabaseOptions().max_bgerror_resume_count, 0);
  EXPECT_TRUE(DatabaseOptions().paranoid_checks);
}

TEST(RocksdbOptionsTest, S09NoNewerLogIsSyncedBeforeAnOlderOne) {
  EXPECT_EQ(DatabaseOptions().wal_bytes_per_sync, 0U);
}

TEST(RocksdbOptionsTest, S10AWriteIsInTheFileWhenItReturns) {
  EXPECT_FALSE(DatabaseOptions().manual_wal_flush);
}

TEST(RocksdbOptionsTest, S11NoLogFileIsUsedTwice) {
  EXPECT_EQ(DatabaseOptions().recycle_log_file_num, 0U);
}

TEST(RocksdbOptionsTest, GroupsStayInTheirOrder) {
  const rocksdb::DBOptions options = DatabaseOptions();
  EXPECT_FALSE(options.unordered_write);
  EXPECT_FALSE(options.two_write_queues);
  EXPECT_FALSE(options.enable_pipelined_write);
}

TEST(RocksdbOptionsTest, RecoveryEndsAtTheFirstDamageAndGuessesNothing) {
  const rocksdb::DBOptions options = DatabaseOptions();
  EXPECT_EQ(options.wal_recovery_mode, rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  EXPECT_FALSE(options.best_efforts_recovery);
  EXPECT_FALSE(options.avoid_flush_during_recovery);
}

}  // namespace
}  // namespace quipu
