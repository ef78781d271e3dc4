// Goal: a broker whose log is unproven opens as unclean, with a prefix or with nothing, and stays
// unclean until the controllers know it (D4). Method: a real directory, damaged between closing and
// opening.
#include <filesystem>
#include <fstream>

#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_watermark.h"
#include "storage/rocksdb/open_storage.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

DirectoryIdentity IdentityFor(NodeRole role) {
  DirectoryIdentity identity{.cluster_id = ClusterId(1, 1),
                             .role = role,
                             .node_id = 1,
                             .directory_id = DirectoryId(2, 2),
                             .voters = {}};
  if (role == NodeRole::kController) {
    identity.voters = {{.id = ControllerId(1),
                        .endpoint = {.host = "localhost", .port = 9000},
                        .directory_id = DirectoryId(2, 2)}};
  }
  return identity;
}

class UncleanOpenTest : public ::testing::Test {
 protected:
  UncleanOpenTest() {
    EXPECT_TRUE(FormatDirectory(path_, IdentityFor(NodeRole::kBroker)).ok());
    Open();
    log_id_ = *storage_->store->CreateLog(PartitionUid(1));
    EXPECT_TRUE(storage_->watermark->StoreBrokerEpoch(BrokerEpoch(5)).ok());
    Append(100);
  }
  absl::Status TryOpen() {
    storage_.reset();
    auto storage = OpenBrokerStorage(
        {.path = path_, .expected = {}, .fatal = conformance::FailTest, .writer = {}});
    if (!storage.ok()) return storage.status();
    storage_ = std::make_unique<BrokerStorage>(*std::move(storage));
    return absl::OkStatus();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Close() { storage_.reset(); }
  void Append(int count, size_t value_bytes = 500) {
    for (int i = 0; i < count; ++i) {
      LogWrite write{.log_id = log_id_, .mutation = {}};
      write.mutation.appends = {
          conformance::MakeBatch({.base = Offset(next_), .value_bytes = value_bytes})};
      write.mutation.state = PartitionState{.high_watermark = Offset(next_)};
      write.mutation.epochs = std::vector<EpochEntry>{{LeaderEpoch(1), Offset(next_)}};
      ASSERT_TRUE(storage_->store->Write({write}).ok());
      ++next_;
    }
  }
  // The end of the log, of which every batch is there, with the state and the epochs of the last.
  int64_t ExpectPrefix() {
    const auto log_id = storage_->store->FindLog(PartitionUid(1));
    EXPECT_TRUE(log_id.has_value());
    if (!log_id.has_value()) return -1;
    const auto recovered = storage_->store->Recover(*log_id);
    EXPECT_TRUE(recovered.ok()) << recovered.status();
    const int64_t end = recovered->log_end_offset.value();
    const auto batches = storage_->store->Read(*log_id, Offset(0), Offset::Max(), size_t{1} << 30);
    EXPECT_TRUE(batches.ok()) << batches.status();
    EXPECT_EQ(static_cast<int64_t>(batches->size()), end);
    if (end > 0) {
      EXPECT_EQ(recovered->state.high_watermark, Offset(end - 1));
      EXPECT_EQ(recovered->epochs.at(0).start_offset, Offset(end - 1));
    }
    return end;
  }
  [[nodiscard]] std::string database() const { return path_ + "/log"; }
  [[nodiscard]] std::string evidence() const { return path_ + "/log.unproven"; }
  [[nodiscard]] std::string WalPath() const {
    std::string newest;
    for (const auto& entry : fs::directory_iterator(database())) {
      const std::string path = entry.path().string();
      if (path.ends_with(".log") && path > newest) newest = path;
    }
    return newest;
  }
  void FlipBit(const std::string& path, size_t position) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(position));
    const auto byte = static_cast<char>(file.get() ^ 0x04);
    file.seekp(static_cast<std::streamoff>(position));
    file.put(byte);
  }
  void FlipBitInTheMiddleOfTheWal() {
    Close();
    FlipBit(WalPath(), fs::file_size(WalPath()) / 2);
  }
  void RemoveTables() {
    for (const auto& entry : fs::directory_iterator(database())) {
      if (entry.path().extension() == ".sst") fs::remove(entry.path());
    }
  }
  void FlushAndClose() {
    Close();
    Open();  // what is replayed is written to tables
    Close();
  }

  conformance::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/data";
  std::unique_ptr<BrokerStorage> storage_;
  LogId log_id_;
  int64_t next_ = 0;
};

TEST_F(UncleanOpenTest, SoundDirectoryIsClean) {
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(ExpectPrefix(), 100);
  EXPECT_FALSE(fs::exists(evidence()));
}

TEST_F(UncleanOpenTest, FlippedBitKeepsThePrefixAndTheWalAsEvidence) {
  FlipBitInTheMiddleOfTheWal();
  const auto wal_bytes = fs::file_size(WalPath());
  const std::string wal_name = fs::path(WalPath()).filename();
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(storage_->watermark->broker_epoch(), BrokerEpoch(5));
  const int64_t end = ExpectPrefix();
  EXPECT_GT(end, 10);
  EXPECT_LT(end, 90);
  EXPECT_EQ(fs::file_size(evidence() + "/" + wal_name), wal_bytes);
  next_ = end;
  Append(30);
  Open();
  EXPECT_EQ(ExpectPrefix(), end + 30);
}

// A start that was cut short while it made the links.
TEST_F(UncleanOpenTest, HalfTheEvidenceIsMadeAnew) {
  FlipBitInTheMiddleOfTheWal();
  const std::string wal_name = fs::path(WalPath()).filename();
  fs::create_directory(evidence() + ".tmp");
  fs::create_hard_link(WalPath(), evidence() + ".tmp/000000.log");
  Open();
  EXPECT_TRUE(fs::exists(evidence() + "/" + wal_name));
  EXPECT_FALSE(fs::exists(evidence() + "/000000.log"));
  EXPECT_FALSE(fs::exists(evidence() + ".tmp"));
}

// A second start finds nothing wrong with the log that the first one left: only the mark says it.
TEST_F(UncleanOpenTest, TheMarkOutlivesFurtherStartsUntilAnEpochIsGranted) {
  FlipBitInTheMiddleOfTheWal();
  for (int start = 0; start < 3; ++start) {
    Open();
    EXPECT_TRUE(storage_->watermark->unclean());
  }
  ASSERT_TRUE(storage_->watermark->StoreBrokerEpoch(BrokerEpoch(9)).ok());
  EXPECT_FALSE(storage_->watermark->unclean());
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(storage_->watermark->broker_epoch(), BrokerEpoch(9));
}

TEST_F(UncleanOpenTest, SyncedGroupsDoNotEndTheMark) {
  FlipBitInTheMiddleOfTheWal();
  Open();
  next_ = ExpectPrefix();
  Append(20);
  Close();
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_GE(storage_->watermark->last_group(), 20U);
}

// RocksDB skips a zeroed block without an error and would replay what lies behind it.
TEST_F(UncleanOpenTest, ZeroedBlockEndsThePrefix) {
  Append(100, 2000);
  Close();
  {
    std::fstream file(WalPath(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 32768);
    file << std::string(32768, '\0');
  }
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  const int64_t end = ExpectPrefix();
  EXPECT_GT(end, 10);
  EXPECT_LT(end, 190);
  next_ = end;
  Append(5);
  for (int start = 0; start < 2; ++start) {
    Open();
    EXPECT_EQ(ExpectPrefix(), end + 5);
  }
}

TEST_F(UncleanOpenTest, MissingWalKeepsWhatTheTablesHold) {
  FlushAndClose();
  Open();
  Append(10);
  Close();
  fs::remove(WalPath());
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(ExpectPrefix(), 100);
}

TEST_F(UncleanOpenTest, OlderCopyOfTheDatabaseIsKeptAsFarAsItGoes) {
  Close();
  fs::copy(database(), folder_.path() + "/older", fs::copy_options::recursive);
  Open();
  Append(10);
  Close();
  fs::remove_all(database());
  fs::rename(folder_.path() + "/older", database());
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(ExpectPrefix(), 100);
}

TEST_F(UncleanOpenTest, DatabaseThatDoesNotOpenIsSetAsideWhole) {
  FlushAndClose();
  RemoveTables();
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_FALSE(storage_->store->FindLog(PartitionUid(1)).has_value());
  EXPECT_TRUE(fs::exists(evidence() + "/CURRENT"));
  log_id_ = *storage_->store->CreateLog(PartitionUid(1));
  next_ = 0;
  Append(5);
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(ExpectPrefix(), 5);
}

TEST_F(UncleanOpenTest, EvidenceIsNeverReplacedByItself) {
  FlushAndClose();
  RemoveTables();
  Open();
  log_id_ = *storage_->store->CreateLog(PartitionUid(1));
  FlushAndClose();
  RemoveTables();
  const absl::Status refused = TryOpen();
  EXPECT_EQ(CodeOf(refused), ErrorCode::kUnprovenDirectory);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("log.unproven"));
  fs::remove_all(evidence());
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
}

TEST_F(UncleanOpenTest, MissingDatabaseBeginsEmpty) {
  Close();
  fs::remove_all(database());
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_LE(storage_->watermark->last_group(), 1U);  // the identity, a moment later
  EXPECT_FALSE(storage_->store->FindLog(PartitionUid(1)).has_value());
}

TEST_F(UncleanOpenTest, MissingOrDamagedWatermarkIsUncleanAndKeepsTheLog) {
  Close();
  fs::remove(path_ + "/watermark");
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(storage_->watermark->broker_epoch(), kNoBrokerEpoch);
  EXPECT_GT(storage_->watermark->last_group(), 100U);  // what is there must stay there
  EXPECT_EQ(ExpectPrefix(), 100);
  Close();
  fs::resize_file(path_ + "/watermark", 100);
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(ExpectPrefix(), 100);
}

TEST_F(UncleanOpenTest, ForeignDatabaseIsRefusedNotSetAside) {
  const std::string other = folder_.path() + "/other";
  DirectoryIdentity identity = IdentityFor(NodeRole::kBroker);
  identity.directory_id = DirectoryId(3, 3);
  ASSERT_TRUE(FormatDirectory(other, identity).ok());
  Close();
  fs::rename(database(), other + "/log");
  EXPECT_EQ(
      CodeOf(OpenBrokerStorage(
                 {.path = other, .expected = {}, .fatal = conformance::FailTest, .writer = {}})
                 .status()),
      ErrorCode::kInvalidConfig);
  EXPECT_TRUE(fs::exists(other + "/log/CURRENT"));
}

// PR7: a voter that has forgotten may vote twice, so it does not start.
TEST(UncleanControllerTest, UnprovenVoterIsRefused) {
  const conformance::TemporaryFolder folder;
  const std::string path = folder.path() + "/data";
  const OpenStorageOptions options{
      .path = path, .expected = {}, .fatal = conformance::FailTest, .writer = {}};
  ASSERT_TRUE(FormatDirectory(path, IdentityFor(NodeRole::kController)).ok());
  ASSERT_TRUE(OpenControllerStorage(options).ok());
  fs::remove_all(path + "/log");
  EXPECT_EQ(CodeOf(OpenControllerStorage(options).status()), ErrorCode::kUnprovenDirectory);
  EXPECT_FALSE(fs::exists(path + "/log/CURRENT"));
}

}  // namespace
}  // namespace quipu
