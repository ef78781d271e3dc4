// The product's two seams over one FaultDisk.
#pragma once

#include <memory>

#include "rocksdb/env.h"
#include "storage/files.h"
#include "tests/faultfs/fault_disk.h"

namespace quipu::faultfs {

// A data directory's files besides the database. `disk` must outlive the object and what it gives.
class FaultFiles final : public Files {
 public:
  explicit FaultFiles(FaultDisk& disk) : disk_(disk) {}

  absl::StatusOr<std::string> Read(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<OpenFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<OpenFile>> OpenExisting(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<OpenFile>> OpenForReading(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<OpenFile>> OpenDirect(const std::string& path) override;
  // Writes when a write is finished, the latest that may be: what is overwritten or synced
  // before shows.
  std::unique_ptr<WriteQueue> NewWriteQueue() override;
  absl::StatusOr<uint64_t> SizeOf(const std::string& path) override;
  absl::StatusOr<int64_t> FreeBytes(const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status MakeFolder(const std::string& path) override;
  absl::Status SyncFolder(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  FaultDisk& disk_;
};

// RocksDB's environment: its files on `disk`, its threads and clocks those of the machine.
// RocksDB's diary (LOG) is not kept. `disk` must outlive it.
std::unique_ptr<rocksdb::Env> NewFaultEnv(FaultDisk& disk);

}  // namespace quipu::faultfs
