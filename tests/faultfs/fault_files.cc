#include "tests/faultfs/fault_files.h"

#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu::faultfs {
namespace {

absl::Status ToOurs(DiskResult result, absl::string_view what, const std::string& path) {
  if (result == DiskResult::kOk) return absl::OkStatus();
  return ToStatus(result == DiskResult::kNoSpace ? ErrorCode::kDiskFull : ErrorCode::kStorageError,
                  absl::StrCat(what, " ", path, ": ", DiskResultText(result)));
}

class FaultOpenFile final : public OpenFile {
 public:
  FaultOpenFile(FaultDisk& disk, FaultDisk::FilePtr file) : disk_(disk), file_(std::move(file)) {}
  absl::StatusOr<size_t> ReadAt(uint64_t position, size_t length, char* out) override {
    std::string bytes;
    QUIPU_RETURN_IF_ERROR(
        ToOurs(disk_.ReadAt(*file_, position, length, bytes), "cannot read", file_->path));
    std::memcpy(out, bytes.data(), bytes.size());
    return bytes.size();
  }
  absl::Status WriteAt(uint64_t position, absl::string_view bytes) override {
    return ToOurs(disk_.WriteAt(*file_, position, bytes), "cannot write", file_->path);
  }
  absl::Status Sync() override { return ToOurs(disk_.Sync(*file_), "cannot sync", file_->path); }

 private:
  FaultDisk& disk_;
  const FaultDisk::FilePtr file_;
};

class LateWriteQueue final : public WriteQueue {
 public:
  absl::Status Begin(size_t slot, OpenFile& file, uint64_t position,
                     absl::string_view bytes) override {
    QUIPU_CHECK_MSG(!begun_.at(slot), "a slot of a write queue has a write under way");
    begun_[slot] = [&file, position, bytes] { return file.WriteAt(position, bytes); };
    return absl::OkStatus();
  }
  absl::Status Finish(size_t slot) override {
    const auto write = std::exchange(begun_.at(slot), nullptr);
    return write ? write() : absl::OkStatus();
  }

 private:
  std::array<std::function<absl::Status()>, kSlots> begun_;
};

class FaultFileLock final : public FileLock {
 public:
  FaultFileLock(FaultDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  ~FaultFileLock() override { disk_.Unlock(path_); }

 private:
  FaultDisk& disk_;
  const std::string path_;
};

}  // namespace

absl::StatusOr<std::string> FaultFiles::Read(const std::string& path) {
  FaultDisk::FilePtr file;
  const DiskResult opened = disk_.Open(path, file);
  if (opened == DiskResult::kNotFound) {
    return ToStatus(ErrorCode::kResourceNotFound, absl::StrCat("there is no file ", path));
  }
  QUIPU_RETURN_IF_ERROR(ToOurs(opened, "cannot open", path));
  std::string content;
  QUIPU_RETURN_IF_ERROR(
      ToOurs(disk_.ReadAt(*file, 0, size_t{1} << 30, content), "cannot read", path));
  return content;
}

absl::StatusOr<std::unique_ptr<OpenFile>> FaultFiles::Create(const std::string& path) {
  FaultDisk::FilePtr file;
  QUIPU_RETURN_IF_ERROR(ToOurs(disk_.Create(path, file), "cannot create", path));
  return std::make_unique<FaultOpenFile>(disk_, std::move(file));
}

absl::StatusOr<std::unique_ptr<OpenFile>> FaultFiles::OpenExisting(const std::string& path) {
  FaultDisk::FilePtr file;
  QUIPU_RETURN_IF_ERROR(ToOurs(disk_.Open(path, file), "cannot open", path));
  return std::make_unique<FaultOpenFile>(disk_, std::move(file));
}

absl::StatusOr<std::unique_ptr<OpenFile>> FaultFiles::OpenForReading(const std::string& path) {
  return OpenExisting(path);
}

std::unique_ptr<WriteQueue> FaultFiles::NewWriteQueue() {
  return std::make_unique<LateWriteQueue>();
}

absl::StatusOr<std::unique_ptr<OpenFile>> FaultFiles::OpenDirect(const std::string& path) {
  return OpenExisting(path);
}

absl::StatusOr<uint64_t> FaultFiles::SizeOf(const std::string& path) {
  FaultDisk::FilePtr file;
  QUIPU_RETURN_IF_ERROR(ToOurs(disk_.Open(path, file), "cannot open", path));
  uint64_t size = 0;
  QUIPU_RETURN_IF_ERROR(ToOurs(disk_.SizeOf(*file, size), "cannot ask for the length of", path));
  return size;
}

absl::StatusOr<int64_t> FaultFiles::FreeBytes(const std::string& /*path*/) {
  return disk_.free_bytes();
}

absl::Status FaultFiles::Remove(const std::string& path) {
  return ToOurs(disk_.Remove(path), "cannot remove", path);
}

absl::Status FaultFiles::Rename(const std::string& from, const std::string& to) {
  return ToOurs(disk_.Rename(from, to), "cannot rename to", to);
}

absl::Status FaultFiles::MakeFolder(const std::string& path) {
  const DiskResult result = disk_.MakeFolder(path);
  if (result == DiskResult::kExists) return absl::OkStatus();
  return ToOurs(result, "cannot make folder", path);
}

absl::Status FaultFiles::SyncFolder(const std::string& path) {
  return ToOurs(disk_.SyncFolder(path), "cannot sync folder", path);
}

absl::StatusOr<std::vector<std::string>> FaultFiles::List(const std::string& path) {
  std::vector<std::string> names;
  QUIPU_RETURN_IF_ERROR(ToOurs(disk_.List(path, names), "cannot read folder", path));
  return names;
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultFiles::Lock(const std::string& path) {
  FaultDisk::FilePtr file;
  DiskResult result = disk_.Open(path, file);
  if (result == DiskResult::kNotFound) result = disk_.Create(path, file);
  QUIPU_RETURN_IF_ERROR(ToOurs(result, "cannot make", path));
  if (!disk_.Lock(path)) return std::unique_ptr<FileLock>();
  return std::make_unique<FaultFileLock>(disk_, path);
}

}  // namespace quipu::faultfs
