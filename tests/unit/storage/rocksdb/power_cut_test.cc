// Goal: after a power cut a log is either a prefix that holds everything acknowledged, or it
// refuses to open (D4, I60). Method: a child process that is killed while it writes; copies of a
// directory in use; files cut, flipped, zeroed and removed between closing and opening.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu {
namespace {

using conformance::BatchShape;
using conformance::MakeBatch;
using conformance::RocksdbStoreUnderTest;
using conformance::TemporaryFolder;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kChildFolder = "QUIPU_POWER_CUT_CHILD_FOLDER";
constexpr int kChildPipe = 10;  // the child's descriptor for its acknowledgements

LogWrite AppendOf(LogId log_id, int64_t offset, size_t value_bytes = 500) {
  LogWrite write{.log_id = log_id, .mutation = {}};
  write.mutation.appends = {MakeBatch({.base = Offset(offset), .value_bytes = value_bytes})};
  write.mutation.state = PartitionState{.high_watermark = Offset(offset)};
  write.mutation.epochs = std::vector<EpochEntry>{{LeaderEpoch(1), Offset(offset)}};
  return write;
}

// Opens a store in a folder; keeps what must outlive it.
struct OpenedStore {
  std::unique_ptr<FileWatermark> watermark;
  std::unique_ptr<RocksdbLogStore> store;
};
absl::StatusOr<OpenedStore> OpenIn(const std::string& folder) {
  OpenedStore out;
  auto watermark = FileWatermark::Open(folder + "/watermark");
  if (!watermark.ok()) return watermark.status();
  out.watermark = *std::move(watermark);
  auto store = RocksdbLogStore::Open(
      {.path = folder + "/log", .identity = "test", .fatal = conformance::FailTest, .trimmer = {}},
      *out.watermark);
  if (!store.ok()) return store.status();
  out.store = *std::move(store);
  return out;
}

// The file names in a folder and their sizes, as one text to compare.
std::string ListingOf(const std::string& folder) {
  std::set<std::string> lines;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::error_code gone;  // a file that goes away between the two calls: another listing
    lines.insert(absl::StrCat(entry.path().filename().string(), " ", fs::file_size(entry, gone)));
  }
  return absl::StrJoin(lines, "\n");
}

// Copies the folder of an open database. RocksDB removes files of its own accord, so a copy counts
// only when the folder stayed the same throughout; nobody may write meanwhile.
void CopyFolderInUse(const std::string& from, const std::string& to) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    fs::remove_all(to);
    const std::string before = ListingOf(from);
    std::error_code gone;
    fs::copy(from, to, fs::copy_options::recursive, gone);
    if (!gone && ListingOf(from) == before && ListingOf(to) == before) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "the folder " << from << " never stayed the same during a copy";
}

// Every batch [0, end) is there, and state and epochs are of the last one.
void ExpectPrefix(const RocksdbLogStore& store, int64_t acknowledged) {
  const std::optional<LogId> log_id = store.FindLog(PartitionUid(1));
  ASSERT_TRUE(log_id.has_value());
  const auto recovered = store.Recover(*log_id);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  const int64_t end = recovered->log_end_offset.value();
  EXPECT_GE(end, acknowledged);
  const auto batches = store.Read(*log_id, Offset(0), Offset::Max(), size_t{1} << 30);
  ASSERT_TRUE(batches.ok());
  ASSERT_EQ(static_cast<int64_t>(batches->size()), end);
  for (int64_t i = 0; i < end; ++i) {
    ASSERT_EQ((*batches)[static_cast<size_t>(i)].base_offset, Offset(i));
  }
  EXPECT_EQ(recovered->state.high_watermark, Offset(end - 1));
  ASSERT_EQ(recovered->epochs.size(), 1U);
  EXPECT_EQ(recovered->epochs[0].start_offset, Offset(end - 1));
}

// ---- killed while writing ---------------------------------------------------------------------

// The child's program: appends for ever and tells its parent each acknowledged end. Run by
// KilledWriterLosesNothingAcknowledged in a process of its own, since RocksDB's threads do not
// survive a fork.
TEST(PowerCutChild, DISABLED_AppendsForEver) {
  const char* folder = std::getenv(kChildFolder);
  ASSERT_NE(folder, nullptr);
  auto opened = OpenIn(folder);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const LogId log_id = *opened->store->CreateLog(PartitionUid(1));
  int64_t next = opened->store->Recover(log_id)->log_end_offset.value();
  while (true) {
    ASSERT_TRUE(opened->store->Write({AppendOf(log_id, next)}).ok());
    ++next;
    if (::write(kChildPipe, &next, sizeof(next)) != sizeof(next)) return;
  }
}

// Starts the child, reads `count` acknowledgements, kills it, and returns the last one read.
int64_t RunChildAndKill(const std::string& folder, int count) {
  int pipe_fds[2];
  EXPECT_EQ(::pipe(pipe_fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kChildFolder, folder.c_str(), 1);
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(pipe_fds[1], kChildPipe);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
    ::execl("/proc/self/exe", "child", "--gtest_also_run_disabled_tests", "--gtest_brief=1",
            "--gtest_filter=PowerCutChild.*", nullptr);
    ::_exit(1);
  }
  ::close(pipe_fds[1]);
  int64_t acknowledged = 0;
  for (int i = 0; i < count; ++i) {
    int64_t value = 0;
    size_t got = 0;
    while (got < sizeof(value)) {
      const ssize_t n =
          ::read(pipe_fds[0], reinterpret_cast<char*>(&value) + got, sizeof(value) - got);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    EXPECT_EQ(got, sizeof(value)) << "the child ended by itself";
    if (got != sizeof(value)) break;
    acknowledged = value;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe_fds[0]);
  return acknowledged;
}

TEST(PowerCutTest, KilledWriterLosesNothingAcknowledged) {
  const TemporaryFolder folder;
  ASSERT_TRUE(FileWatermark::Create(folder.path() + "/watermark").ok());
  int64_t acknowledged = 0;
  for (const int count : {1, 37, 150}) {
    acknowledged = std::max(acknowledged, RunChildAndKill(folder.path(), count));
    auto opened = OpenIn(folder.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    ExpectPrefix(*opened->store, acknowledged);
  }
  EXPECT_GE(acknowledged, 188);
}

TEST(PowerCutTest, CopyOfADirectoryInUseOpensWithEverythingAcknowledged) {
  RocksdbStoreUnderTest original;
  const LogId log_id = *original.store().CreateLog(PartitionUid(1));
  const TemporaryFolder copy;
  for (int64_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(original.store().Write({AppendOf(log_id, i)}).ok());
    if (i == 30) {
      ASSERT_TRUE(original.rocksdb_store().Flush().ok());
    }
  }
  fs::copy_file(original.watermark_path(), copy.path() + "/watermark");
  CopyFolderInUse(original.database_path(), copy.path() + "/log");
  auto opened = OpenIn(copy.path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  ExpectPrefix(*opened->store, 60);
}

// ---- damage between closing and opening -------------------------------------------------------

class DamagedLogTest : public ::testing::Test {
 protected:
  DamagedLogTest() {
    log_id_ = *store_.store().CreateLog(PartitionUid(1));
    Append(100);
  }
  void Append(int count, size_t value_bytes = 500) {
    for (int i = 0; i < count; ++i) {
      const absl::Status status = store_.store().Write({AppendOf(log_id_, next_, value_bytes)});
      ASSERT_TRUE(status.ok()) << status;
      ++next_;
    }
  }
  // The newest WAL.
  [[nodiscard]] std::string WalPath() const {
    std::string newest;
    for (const auto& entry : fs::directory_iterator(store_.database_path())) {
      const std::string path = entry.path().string();
      if (path.ends_with(".log") && path > newest) newest = path;
    }
    return newest;
  }
  static void Change(const std::string& path, size_t position, size_t length, bool zero) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(length, '\0');
    file.seekg(static_cast<std::streamoff>(position));
    file.read(bytes.data(), static_cast<std::streamsize>(length));
    for (char& c : bytes) c = zero ? '\0' : static_cast<char>(c ^ 0x04);
    file.seekp(static_cast<std::streamoff>(position));
    file.write(bytes.data(), static_cast<std::streamsize>(length));
  }
  void ExpectUnproven() {
    const absl::Status status = store_.TryOpen();
    EXPECT_EQ(CodeOf(status), ErrorCode::kUnprovenDirectory) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be shown to be complete"));
  }

  RocksdbStoreUnderTest store_;
  LogId log_id_;
  int64_t next_ = 0;
};

TEST_F(DamagedLogTest, UndamagedLogOpens) {
  store_.Reopen();
  ExpectPrefix(store_.rocksdb_store(), 100);
  Append(3);
  store_.Reopen();
  ExpectPrefix(store_.rocksdb_store(), 103);
}

TEST_F(DamagedLogTest, FlippedBitInTheMiddleIsUnproven) {
  store_.Close();
  Change(WalPath(), fs::file_size(WalPath()) / 2, 1, false);
  ExpectUnproven();
}

TEST_F(DamagedLogTest, RefusalLeavesTheFilesAsTheyWere) {
  store_.Close();
  const std::string wal = WalPath();
  const auto size = fs::file_size(wal);
  Change(wal, size / 2, 1, false);
  ExpectUnproven();
  ExpectUnproven();
  ASSERT_EQ(fs::file_size(wal), size);
  Change(wal, size / 2, 1, false);  // the same bit back
  store_.Open();
  ExpectPrefix(store_.rocksdb_store(), 100);
}

TEST_F(DamagedLogTest, LogThatEndsBelowTheWatermarkIsUnproven) {
  store_.Close();
  fs::resize_file(WalPath(), fs::file_size(WalPath()) / 2);
  ExpectUnproven();
}

TEST_F(DamagedLogTest, ZeroedBlockInTheMiddleIsUnproven) {
  Append(100, 2000);
  store_.Close();
  ASSERT_GT(fs::file_size(WalPath()), 5U * 32768);
  Change(WalPath(), 3 * 32768, 32768, true);
  ExpectUnproven();
}

TEST_F(DamagedLogTest, EmptyWalIsUnproven) {
  store_.Close();
  fs::resize_file(WalPath(), 0);
  ExpectUnproven();
}

TEST_F(DamagedLogTest, MissingWalIsUnproven) {
  store_.Close();
  fs::remove(WalPath());
  ExpectUnproven();
}

TEST_F(DamagedLogTest, WalThatIsMissingBehindAFlushIsUnproven) {
  ASSERT_TRUE(store_.rocksdb_store().Flush().ok());
  Append(10);
  store_.Close();
  fs::remove(WalPath());
  ExpectUnproven();
}

TEST_F(DamagedLogTest, TornTailBeyondTheWatermarkOpens) {
  const TemporaryFolder cut_again;
  store_.Reopen();  // the watermark now says 101 groups or more
  store_.Close();
  const TemporaryFolder aside;
  fs::copy_file(store_.watermark_path(), aside.path() + "/watermark");
  store_.Open();
  Append(2);
  store_.Close();
  fs::copy_file(aside.path() + "/watermark", store_.watermark_path(),
                fs::copy_options::overwrite_existing);
  fs::resize_file(WalPath(), fs::file_size(WalPath()) - 5);
  store_.Open();
  ExpectPrefix(store_.rocksdb_store(), 101);
  // A second power cut right after the recovery.
  fs::copy_file(store_.watermark_path(), cut_again.path() + "/watermark");
  CopyFolderInUse(store_.database_path(), cut_again.path() + "/log");
  const auto opened = OpenIn(cut_again.path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  ExpectPrefix(*opened->store, 101);
  next_ = 101;
  Append(5);
  store_.Reopen();
  ExpectPrefix(store_.rocksdb_store(), 106);
}

TEST_F(DamagedLogTest, MissingWatermarkFileIsUnproven) {
  store_.Close();
  fs::remove(store_.watermark_path());
  EXPECT_EQ(CodeOf(store_.TryOpen()), ErrorCode::kUnprovenDirectory);
}

TEST_F(DamagedLogTest, MissingDatabaseIsUnproven) {
  store_.Close();
  fs::remove_all(store_.database_path());
  ExpectUnproven();
}

TEST_F(DamagedLogTest, MissingTableFileIsUnproven) {
  ASSERT_TRUE(store_.rocksdb_store().Flush().ok());
  store_.Close();
  for (const auto& entry : fs::directory_iterator(store_.database_path())) {
    if (entry.path().extension() == ".sst") fs::remove(entry.path());
  }
  ExpectUnproven();
}

TEST_F(DamagedLogTest, OlderCopyOfTheDatabaseIsUnproven) {
  store_.Close();
  const TemporaryFolder aside;
  fs::copy(store_.database_path(), aside.path() + "/log", fs::copy_options::recursive);
  store_.Open();
  Append(10);
  store_.Close();
  fs::remove_all(store_.database_path());
  fs::copy(aside.path() + "/log", store_.database_path(), fs::copy_options::recursive);
  ExpectUnproven();
}

TEST_F(DamagedLogTest, FlippedBitInAFlushedBatchIsReportedWhenRead) {
  Append(10, 50000);
  ASSERT_TRUE(store_.rocksdb_store().Flush().ok());
  store_.Close();
  for (const auto& entry : fs::directory_iterator(store_.database_path())) {
    if (entry.path().extension() == ".blob") {
      Change(entry.path().string(), fs::file_size(entry.path()) / 2, 1, false);
    }
  }
  store_.Open();
  const auto good = store_.store().Read(log_id_, Offset(0), Offset(50), size_t{1} << 30);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->size(), 50U);
  absl::Status failure;
  for (int64_t offset = 100; offset < 110; ++offset) {
    failure.Update(store_.store().Read(log_id_, Offset(offset), Offset(offset + 1), 1).status());
  }
  EXPECT_EQ(CodeOf(failure), ErrorCode::kCorruptMessage) << failure;
}

}  // namespace
}  // namespace quipu
