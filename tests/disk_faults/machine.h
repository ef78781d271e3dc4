// One machine with one data directory on a disk that fails.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/rng.h"
#include "rocksdb/env.h"
#include "storage/data_directory.h"
#include "storage/file_watermark.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/wal_writer.h"
#include "tests/faultfs/fault_disk.h"
#include "tests/faultfs/fault_files.h"

namespace quipu::disk_faults {

// A rule of the product taken away, to show that a round notices. Each acts at a seam: to the disk
// it is the same whether the product forgets a sync or the sync is not carried out.
enum class Planted {
  kNone,
  kWalNotSynced,         // appends are acknowledged without a sync
  kWatermarkBeforeSync,  // the watermark names the group whose sync is still to come
  kFolderNotSynced,      // format does not sync the names that it makes
};

// Changing calls that an open makes, roughly: the power may go in any of them.
inline constexpr uint64_t kCallsOfOpen = 60;
// Operations of one life at most.
inline constexpr uint64_t kOperationsMax = 40;

// A file whose writes and syncs stand for acknowledgements.
bool IsLogFile(const std::string& path);
// Small, so that a life uses several.
inline constexpr uint64_t kTestSegmentBytes = uint64_t{32} << 10;

// What went wrong; empty: nothing.
using Violation = std::string;

// The disk and the two seams above it, and the reasons that were given for ending the process.
class Machine {
 public:
  explicit Machine(Planted planted) : planted_(planted), files_(disk_) { Arm(0); }

  faultfs::FaultDisk& disk() { return disk_; }
  // Brokers store in a journal from now on.
  void UseJournal() { journal_ = true; }
  [[nodiscard]] bool journal() const { return journal_; }
  Files& files() { return files_; }
  rocksdb::Env& env() { return *env_; }
  static std::string path() { return "/data"; }

  // The power goes with the `calls`-th changing call from now; 0: it stays.
  void Arm(uint64_t calls);
  // What happens when a write fails; in a product process it does not return (D3).
  FatalHandler fatal();
  [[nodiscard]] bool fatal_called() const;
  // Switches on after a power loss, or starts the process anew while the machine goes on.
  void Restart(uint64_t seed);

  // Formats the directory unless it is formatted, opens it, and its watermark file.
  //   acknowledged  whether a former call has returned OK: then it must be formatted
  absl::Status Open(NodeRole role, bool& acknowledged);
  // Opens a broker's directory as above, and the store in it, which frees disk space at each
  // chance.
  absl::StatusOr<std::unique_ptr<RocksdbLogStore>> OpenLog(bool& acknowledged);
  void Close();
  WatermarkFile& watermark() { return *shown_watermark_; }

 private:
  const Planted planted_;
  bool journal_ = false;
  faultfs::FaultDisk disk_;
  faultfs::FaultFiles files_;
  std::unique_ptr<rocksdb::Env> env_ = faultfs::NewFaultEnv(disk_);
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<WatermarkFile> shown_watermark_;
  mutable std::mutex mutex_;
  bool fatal_called_ = false;  // under mutex_
};

}  // namespace quipu::disk_faults
