// A RocksdbLogStore with a journal, on a disk in memory that stalls, rots and loses its power.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "storage/file_watermark.h"
#include "storage/journal/journal_format.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "tests/conformance/log_store_fixture.h"
#include "tests/faultfs/fault_disk.h"
#include "tests/faultfs/fault_files.h"

namespace quipu {

// Whether it becomes true; the deadline only bounds a failing test.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

class JournalStore {
 public:
  // Small, so that a test uses many.
  static constexpr uint64_t kSegmentBytes = (uint64_t{60} << 10) + kSegmentHeadBytes;
  static constexpr size_t kSparesMax = 4;

  JournalStore() {
    EXPECT_EQ(disk_.MakeFolder("/data"), faultfs::DiskResult::kOk);
    EXPECT_EQ(disk_.SyncFolder("/"), faultfs::DiskResult::kOk);
    EXPECT_TRUE(FileWatermark::Create("/data/watermark", files_).ok());
    Open();
  }
  ~JournalStore() { Close(); }
  JournalStore(const JournalStore&) = delete;
  JournalStore& operator=(const JournalStore&) = delete;

  RocksdbLogStore& store() { return *store_; }
  faultfs::FaultDisk& disk() { return disk_; }
  faultfs::FaultFiles& files() { return files_; }
  rocksdb::Env& env() { return *env_; }
  static std::string database() { return "/data/log"; }
  static std::string folder() { return "/data/journal"; }
  static std::string PathOf(const std::string& name) { return absl::StrCat(folder(), "/", name); }

  // For the next Open.
  Duration cleaner_settle{0};
  Duration cleaner_pause = std::chrono::milliseconds(1);

  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::Status TryOpen() {
    auto watermark = FileWatermark::Open("/data/watermark", files_);
    if (!watermark.ok()) return watermark.status();
    watermark_ = *std::move(watermark);
    auto store = RocksdbLogStore::Open(
        {.path = database(),
         .identity = "test",
         .fatal = conformance::FailTest,
         .trimmer = {},  // too large for a test to have anything to do, but for dropped logs
         // Nothing is kept in memory: what is read comes from the disk.
         .journal = JournalLog::Options{.journal = {.folder = folder(),
                                                    .directory_id = DirectoryId(7, 8),
                                                    .fatal = conformance::FailTest,
                                                    .files = &files_,
                                                    .segment_bytes = kSegmentBytes,
                                                    .spares_max = kSparesMax},
                                        .tail_bytes = 0},
         .cleaner = {.pause = cleaner_pause, .settle = cleaner_settle},
         .env = env_.get()},
        *watermark_);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }
  // An orderly end: RocksDB writes its memory tables out.
  void Close() {
    store_.reset();
    watermark_.reset();
  }
  void Reopen() {
    Close();
    Open();
  }
  // What was synced is there afterwards; the memory tables are gone.
  void LosePower(uint64_t seed = 1) {
    disk_.CutPower();
    Close();
    disk_.PowerOn(seed);
  }

  // ---- the journal's files ----
  [[nodiscard]] std::vector<std::string> Names() {
    std::vector<std::string> names = files_.List(folder()).value_or(std::vector<std::string>{});
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] std::vector<std::string> SegmentNames() {
    std::vector<std::string> names = Names();
    std::erase_if(names, [](const std::string& name) { return !SegmentOfFileName(name); });
    return names;
  }
  [[nodiscard]] size_t Spares() {
    const std::vector<std::string> names = Names();
    return static_cast<size_t>(std::count_if(names.begin(), names.end(), [](const auto& name) {
      return name.starts_with("spare-") && !name.starts_with("spare-new-");
    }));
  }
  [[nodiscard]] bool IsThere(const std::string& name) {
    const std::vector<std::string> names = Names();
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  [[nodiscard]] std::string Content(const std::string& name) {
    return files_.Read(PathOf(name)).value_or("");
  }
  struct Place {
    std::string name;
    size_t position;
    friend bool operator==(const Place&, const Place&) = default;
  };
  // Where the bytes of a batch lie, in which segment ever.
  [[nodiscard]] std::vector<Place> PlacesOf(const StoredBatch& batch) {
    std::vector<Place> places;
    for (const std::string& name : SegmentNames()) {
      const size_t at = Content(name).find(batch.bytes.ToString());
      if (at != std::string::npos) places.push_back({name, at});
    }
    return places;
  }

 private:
  faultfs::FaultDisk disk_;
  faultfs::FaultFiles files_{disk_};
  std::unique_ptr<rocksdb::Env> env_ = faultfs::NewFaultEnv(disk_);
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<RocksdbLogStore> store_;
};

}  // namespace quipu
