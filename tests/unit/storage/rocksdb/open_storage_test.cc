// Goal: one call opens everything durable of a process, or says what is wrong.
// Method: real directories, formatted and opened twice.
#include "storage/rocksdb/open_storage.h"

#include <future>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu {
namespace {

OpenStorageOptions OptionsFor(const std::string& path) {
  return {.path = path, .expected = {}, .fatal = conformance::FailTest};
}

DirectoryIdentity Identity(NodeRole role) {
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

TEST(OpenStorageTest, BrokerKeepsWhatItsWriterCompleted) {
  const conformance::TemporaryFolder folder;
  const std::string path = folder.path() + "/data";
  ASSERT_TRUE(FormatDirectory(path, Identity(NodeRole::kBroker)).ok());
  {
    auto storage = OpenBrokerStorage(OptionsFor(path));
    ASSERT_TRUE(storage.ok()) << storage.status();
    const LogId log_id = *storage->store->CreateLog(PartitionUid(1));
    std::promise<void> durable;
    LogWrite write{.log_id = log_id, .mutation = {}};
    write.mutation.appends = {conformance::MakeBatch({.records = 3})};
    storage->writer->Submit({write}, [&durable] { durable.set_value(); });
    durable.get_future().wait();
    ASSERT_TRUE(storage->watermark->StoreBrokerEpoch(BrokerEpoch(9)).ok());
  }
  auto storage = OpenBrokerStorage(OptionsFor(path));
  ASSERT_TRUE(storage.ok()) << storage.status();
  const auto log_id = storage->store->FindLog(PartitionUid(1));
  ASSERT_TRUE(log_id.has_value());
  EXPECT_EQ(storage->store->Recover(*log_id)->log_end_offset, Offset(3));
  EXPECT_EQ(storage->watermark->broker_epoch(), BrokerEpoch(9));
  EXPECT_EQ(storage->directory->identity().node_id, 1);
}

// To the one way the other's files look as if everything was lost: nothing may be judged, marked or
// set aside by the wrong one.
TEST(OpenStorageTest, ABrokersDirectoryIsLeftAloneByTheOtherWayToStore) {
  for (const LogStoreKind kind : {LogStoreKind::kRocksdb, LogStoreKind::kJournal}) {
    const LogStoreKind other =
        kind == LogStoreKind::kRocksdb ? LogStoreKind::kJournal : LogStoreKind::kRocksdb;
    const conformance::TemporaryFolder folder;
    const std::string path = folder.path() + "/data";
    ASSERT_TRUE(FormatDirectory(path, Identity(NodeRole::kBroker)).ok());
    OpenStorageOptions options = OptionsFor(path);
    options.log_store = kind;
    options.journal.segment_bytes = 1 << 20;
    {
      auto storage = OpenBrokerStorage(options);
      ASSERT_TRUE(storage.ok()) << storage.status();
      EXPECT_EQ(storage->journal_stats != nullptr, kind == LogStoreKind::kJournal);
      const LogId log_id = *storage->store->CreateLog(PartitionUid(1));
      LogWrite write{.log_id = log_id, .mutation = {}};
      write.mutation.appends = {conformance::MakeBatch({.records = 3})};
      ASSERT_TRUE(storage->store->Write({write}).ok());
    }
    const auto before = conformance::FilesOf(path);
    options.log_store = other;
    const absl::Status refused = OpenBrokerStorage(options).status();
    EXPECT_EQ(CodeOf(refused), ErrorCode::kInvalidConfig) << refused;
    EXPECT_EQ(conformance::FilesOf(path), before);
    options.may_be_other_store = true;
    for (int start = 0; start < 2; ++start) {
      auto storage = OpenBrokerStorage(options);
      ASSERT_TRUE(storage.ok()) << storage.status();
      EXPECT_FALSE(storage->watermark->unclean());
      EXPECT_EQ(storage->directory->identity().log_store, kind);
      EXPECT_EQ(storage->store->Recover(*storage->store->FindLog(PartitionUid(1)))->log_end_offset,
                Offset(3));
      storage = absl::UnknownError("closed");
      options.log_store = kind;
      options.may_be_other_store = false;
    }
  }
}

TEST(OpenStorageTest, ControllerKeepsItsVote) {
  const conformance::TemporaryFolder folder;
  const std::string path = folder.path() + "/data";
  ASSERT_TRUE(FormatDirectory(path, Identity(NodeRole::kController)).ok());
  const RaftHardState state{
      .term = Term(4), .voted_for = ControllerId(1), .voted_directory = DirectoryId(2, 2)};
  {
    auto storage = OpenControllerStorage(OptionsFor(path));
    ASSERT_TRUE(storage.ok()) << storage.status();
    RaftWrite write;
    write.hard_state = state;
    ASSERT_TRUE(storage->store->Write(write).ok());
  }
  auto storage = OpenControllerStorage(OptionsFor(path));
  ASSERT_TRUE(storage.ok()) << storage.status();
  EXPECT_EQ(storage->store->Load()->hard_state, state);
}

TEST(OpenStorageTest, BrokerDoesNotOpenAControllersDirectory) {
  const conformance::TemporaryFolder folder;
  const std::string path = folder.path() + "/data";
  ASSERT_TRUE(FormatDirectory(path, Identity(NodeRole::kController)).ok());
  EXPECT_EQ(CodeOf(OpenBrokerStorage(OptionsFor(path)).status()), ErrorCode::kInvalidConfig);
}

TEST(OpenStorageTest, UnformattedAndLockedDirectoriesAreRefused) {
  const conformance::TemporaryFolder folder;
  const std::string path = folder.path() + "/data";
  EXPECT_EQ(CodeOf(OpenBrokerStorage(OptionsFor(path)).status()), ErrorCode::kResourceNotFound);
  ASSERT_TRUE(FormatDirectory(path, Identity(NodeRole::kBroker)).ok());
  auto first = OpenBrokerStorage(OptionsFor(path));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(CodeOf(OpenBrokerStorage(OptionsFor(path)).status()), ErrorCode::kStorageError);
}

}  // namespace
}  // namespace quipu
