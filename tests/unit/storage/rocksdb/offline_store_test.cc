// Goal: a stopped node's directory tells what a start would find, and stays what it is.
// Method: directories of both kinds, copied while their store was open, so that nothing was written
// out at an orderly end; read offline, compared byte by byte, and then opened for real.
#include "storage/rocksdb/offline/offline_store.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "storage/rocksdb/open_storage.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSegmentBytes = 64 << 10;

class OfflineStoreTest : public ::testing::TestWithParam<LogStoreKind> {
 protected:
  OfflineStoreTest() {
    EXPECT_TRUE(FormatDirectory(path(), {.cluster_id = ClusterId(1, 1),
                                         .role = NodeRole::kBroker,
                                         .node_id = 1,
                                         .directory_id = DirectoryId(2, 2),
                                         .voters = {}})
                    .ok());
    Open(path());
  }
  [[nodiscard]] std::string path() const { return folder_.path() + "/data"; }
  [[nodiscard]] std::string copy() const { return folder_.path() + "/copy"; }

  void Open(const std::string& where) {
    auto storage =
        OpenBrokerStorage({.path = where,
                           .expected = {},
                           .fatal = conformance::FailTest,
                           .log_store = GetParam(),
                           .journal = {.segment_bytes = kSegmentBytes, .spare_bytes = 0}});
    ASSERT_TRUE(storage.ok()) << storage.status();
    storage_.emplace(*std::move(storage));
  }
  void Close() { storage_.reset(); }
  LogStore& store() { return *storage_->store; }
  // Writes the memory tables out, so that part of what there is lies in tables.
  void Flush() { ASSERT_TRUE(dynamic_cast<RocksdbLogStore&>(store()).Flush().ok()); }

  void Write(LogId log_id, LogMutation mutation) {
    ASSERT_TRUE(store().Write({{.log_id = log_id, .mutation = std::move(mutation)}}).ok());
  }
  void Append(LogId log_id, int64_t from, int64_t to, size_t value_bytes = 5000) {
    for (int64_t base = from; base < to; ++base) {
      LogMutation mutation;
      mutation.appends = {
          conformance::MakeBatch({.base = Offset(base), .value_bytes = value_bytes})};
      Write(log_id, std::move(mutation));
    }
  }
  // What a power cut would leave. A file that RocksDB removes meanwhile spoils the copy.
  void CopyDirectory() {
    std::error_code error;
    do {
      fs::remove_all(copy());
      fs::copy(path(), copy(), fs::copy_options::recursive, error);
    } while (error == std::errc::no_such_file_or_directory);
    ASSERT_FALSE(error) << error.message();
  }

  static std::vector<std::string> OfflineBatches(OfflineStore& offline, const OfflineLog& log) {
    std::vector<std::string> batches;
    const absl::Status status =
        offline.EachBatch(log.log_id, Offset{0}, Offset::Max(), [&](const OfflineBatch& batch) {
          EXPECT_EQ(batch.damage, "");
          if (batch.header) batches.push_back(batch.header->bytes().ToString());
          return true;
        });
    EXPECT_TRUE(status.ok()) << status;
    return batches;
  }
  std::vector<std::string> Batches(LogId log_id) {
    std::vector<std::string> batches;
    const auto read = store().Read(log_id, Offset{0}, Offset::Max(), SIZE_MAX);
    EXPECT_TRUE(read.ok()) << read.status();
    for (const StoredBatch& batch : *read) batches.push_back(batch.bytes.ToString());
    return batches;
  }

 private:
  conformance::TemporaryFolder folder_;
  std::optional<BrokerStorage> storage_;
};

TEST_P(OfflineStoreTest, TellsWhatAStartFinds) {
  const LogId first = *store().CreateLog(PartitionUid(1));
  const LogId second = *store().CreateLog(PartitionUid(2));
  const LogId gone = *store().CreateLog(PartitionUid(3));
  Append(first, 0, 30);
  Append(gone, 0, 3);
  Flush();
  Append(second, 0, 20);
  LogMutation cut;
  cut.truncate_to = Offset(25);
  cut.epochs = std::vector<EpochEntry>{{.epoch = LeaderEpoch(4), .start_offset = Offset(25)}};
  Write(first, std::move(cut));
  Append(first, 25, 27, 77);
  ASSERT_TRUE(store().DropLog(PartitionUid(3)).ok());
  const std::vector<std::string> first_batches = Batches(first);
  const std::vector<std::string> second_batches = Batches(second);
  ASSERT_EQ(first_batches.size(), 27);
  CopyDirectory();
  const auto before = conformance::FilesOf(copy());

  {
    auto offline = OfflineStore::Open(copy());
    ASSERT_TRUE(offline.ok()) << offline.status();
    EXPECT_EQ((*offline)->directory().unproven, "");
    EXPECT_EQ((*offline)->directory().identity.log_store, GetParam());
    const auto logs = (*offline)->Logs();
    ASSERT_TRUE(logs.ok()) << logs.status();
    ASSERT_EQ(logs->size(), 2);
    EXPECT_EQ((*logs)[0].log_end_offset, Offset(27));
    EXPECT_EQ((*logs)[1].log_end_offset, Offset(20));
    ASSERT_EQ((*logs)[0].epochs.size(), 1);
    EXPECT_EQ((*logs)[0].epochs[0].start_offset, Offset(25));
    EXPECT_EQ(OfflineBatches(**offline, (*logs)[0]), first_batches);
    EXPECT_EQ(OfflineBatches(**offline, (*logs)[1]), second_batches);
  }
  EXPECT_EQ(conformance::FilesOf(copy()), before);

  Close();
  Open(copy());
  EXPECT_EQ(Batches(first), first_batches);
  EXPECT_EQ(Batches(second), second_batches);
}

TEST_P(OfflineStoreTest, SaysWhatIsDamaged) {
  const LogId log_id = *store().CreateLog(PartitionUid(1));
  Append(log_id, 0, 3, 20000);
  Flush();
  Close();
  // The middle batch's records: 'b', 20,000 times.
  const std::string records(1000, 'b');
  size_t damaged = 0;
  for (const auto& [name, content] : conformance::FilesOf(path())) {
    const size_t at = content.find(records);
    if (at == std::string::npos) continue;
    std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << 'x';
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  auto offline = OfflineStore::Open(path());
  ASSERT_TRUE(offline.ok()) << offline.status();
  std::vector<bool> sound;
  const auto logs = (*offline)->Logs();
  ASSERT_TRUE(logs.ok()) << logs.status();
  ASSERT_TRUE((*offline)
                  ->EachBatch(log_id, Offset{0}, Offset::Max(),
                              [&](const OfflineBatch& batch) {
                                sound.push_back(batch.damage.empty());
                                return true;
                              })
                  .ok());
  EXPECT_EQ(sound, (std::vector<bool>{true, false, true}));
}

TEST_P(OfflineStoreTest, SaysThatTheLogIsNotComplete) {
  const LogId log_id = *store().CreateLog(PartitionUid(1));
  Append(log_id, 0, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the watermark is written
  CopyDirectory();
  Close();
  const bool journal = GetParam() == LogStoreKind::kJournal;
  size_t cut = 0;
  for (const auto& entry : fs::recursive_directory_iterator(copy())) {
    const std::string name = entry.path().string();
    if (!entry.is_regular_file() || !name.ends_with(journal ? ".seg" : ".log")) continue;
    if (fs::file_size(entry.path()) < 8192) continue;
    fs::resize_file(entry.path(), 8192);
    ++cut;
  }
  ASSERT_GE(cut, 1);
  auto offline = OfflineStore::Open(copy());
  ASSERT_TRUE(offline.ok()) << offline.status();
  EXPECT_NE((*offline)->directory().unproven, "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, OfflineStoreTest,
                         ::testing::Values(LogStoreKind::kRocksdb, LogStoreKind::kJournal),
                         [](const auto& kind) {
                           return std::string(LogStoreKindName(kind.param));
                         });

}  // namespace
}  // namespace quipu
