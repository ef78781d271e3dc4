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
