// A FaultDisk as RocksDB sees it.
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb/file_system.h"
#include "rocksdb/io_status.h"
#include "rocksdb/system_clock.h"
#include "tests/faultfs/fault_files.h"

namespace quipu::faultfs {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToRocksdb(DiskResult result, const std::string& path) {
  switch (result) {
    case DiskResult::kOk:
      return IOStatus::OK();
    case DiskResult::kNoSpace:
      return IOStatus::NoSpace(path);
    case DiskResult::kNotFound:
      return IOStatus::PathNotFound(path);
    case DiskResult::kIoError:
    case DiskResult::kExists:
    case DiskResult::kStaleHandle:
      break;
  }
  return IOStatus::IOError(path, std::string(DiskResultText(result)));
}

// Reads into the caller's memory, as pread does.
IOStatus ReadInto(FaultDisk& disk, const FaultDisk::File& file, uint64_t position, size_t length,
                  Slice* result, char* scratch) {
  std::string bytes;
  const DiskResult read = disk.ReadAt(file, position, length, bytes);
  std::memcpy(scratch, bytes.data(), bytes.size());
  *result = Slice(scratch, bytes.size());
  return ToRocksdb(read, file.path);
}

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(FaultDisk& disk, FaultDisk::FilePtr file) : disk_(disk), file_(std::move(file)) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions& /*options*/,
                  IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.Append(*file_, absl::string_view(data.data(), data.size())),
                     file_->path);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    uint64_t now = 0;
    if (disk_.SizeOf(*file_, now) == DiskResult::kOk && now == size) return IOStatus::OK();
    return ToRocksdb(disk_.Truncate(*file_, size), file_->path);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.Sync(*file_), file_->path);
  }
  // sync_file_range: begins writing, promises nothing.
  IOStatus RangeSync(uint64_t /*offset*/, uint64_t /*nbytes*/, const IOOptions& /*options*/,
                     IODebugContext* /*dbg*/) override {
    return IOStatus::OK();
  }
  [[nodiscard]] bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    uint64_t size = 0;
    return disk_.SizeOf(*file_, size) == DiskResult::kOk ? size : 0;
  }

 private:
  FaultDisk& disk_;
  const FaultDisk::FilePtr file_;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  RandomAccessFile(FaultDisk& disk, FaultDisk::FilePtr file)
      : disk_(disk), file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*dbg*/) const override {
    return ReadInto(disk_, *file_, offset, n, result, scratch);
  }
  IOStatus Prefetch(uint64_t /*offset*/, size_t /*n*/, const IOOptions& /*options*/,
                    IODebugContext* /*dbg*/) override {
    return IOStatus::OK();
  }

 private:
  FaultDisk& disk_;
  const FaultDisk::FilePtr file_;
};

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  SequentialFile(FaultDisk& disk, FaultDisk::FilePtr file) : disk_(disk), file_(std::move(file)) {}
  IOStatus Read(size_t n, const IOOptions& /*options*/, Slice* result, char* scratch,
                IODebugContext* /*dbg*/) override {
    const IOStatus status = ReadInto(disk_, *file_, position_, n, result, scratch);
    position_ += result->size();
    return status;
  }
  IOStatus Skip(uint64_t n) override {
    position_ += n;
    return IOStatus::OK();
  }

 private:
  FaultDisk& disk_;
  const FaultDisk::FilePtr file_;
  uint64_t position_ = 0;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(FaultDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.SyncFolder(path_), path_);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*dbg*/) override {
    return IOStatus::OK();
  }

 private:
  FaultDisk& disk_;
  const std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

class NoDiary final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
  [[nodiscard]] size_t GetLogFileSize() const override { return 0; }
};

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

class FaultFileSystem final : public rocksdb::FileSystem {
 public:
  explicit FaultFileSystem(FaultDisk& disk) : disk_(disk) {}
  const char* Name() const override { return "quipu.FaultFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& /*options*/,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext* /*dbg*/) override {
    return OpenAs<SequentialFile>(path, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& /*options*/,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* /*dbg*/) override {
    return OpenAs<RandomAccessFile>(path, result);
  }
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& /*options*/,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* /*dbg*/) override {
    FaultDisk::FilePtr file;
    const DiskResult made = disk_.Create(path, file);
    if (made == DiskResult::kOk) *result = std::make_unique<WritableFile>(disk_, std::move(file));
    return ToRocksdb(made, path);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& /*options*/,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* /*dbg*/) override {
    return OpenAs<WritableFile>(path, result);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& /*options*/,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* /*dbg*/) override {
    bool folder = false;
    const DiskResult found = disk_.IsFolder(WithoutSlash(path), folder);
    if (found == DiskResult::kOk) {
      *result = std::make_unique<Directory>(disk_, WithoutSlash(path));
    }
    return ToRocksdb(found, path);
  }
  IOStatus FileExists(const std::string& path, const IOOptions& /*options*/,
                      IODebugContext* /*dbg*/) override {
    bool folder = false;
    const DiskResult found = disk_.IsFolder(WithoutSlash(path), folder);
    return found == DiskResult::kNotFound ? IOStatus::NotFound(path) : ToRocksdb(found, path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions& /*options*/,
                       std::vector<std::string>* result, IODebugContext* /*dbg*/) override {
    const DiskResult listed = disk_.List(WithoutSlash(path), *result);
    return listed == DiskResult::kNotFound ? IOStatus::NotFound(path) : ToRocksdb(listed, path);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& /*options*/,
                      IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.Remove(path), path);
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions& /*options*/,
                    IODebugContext* /*dbg*/) override {
    FaultDisk::FilePtr file;
    const DiskResult opened = disk_.Open(path, file);
    if (opened != DiskResult::kOk) return ToRocksdb(opened, path);
    return ToRocksdb(disk_.Truncate(*file, size), path);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& /*options*/,
                     IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.MakeFolder(WithoutSlash(path)), path);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& /*options*/,
                              IODebugContext* /*dbg*/) override {
    const DiskResult made = disk_.MakeFolder(WithoutSlash(path));
    return made == DiskResult::kExists ? IOStatus::OK() : ToRocksdb(made, path);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions& /*options*/,
                     IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.Remove(WithoutSlash(path)), path);
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions& /*options*/, uint64_t* size,
                       IODebugContext* /*dbg*/) override {
    FaultDisk::FilePtr file;
    const DiskResult opened = disk_.Open(path, file);
    if (opened != DiskResult::kOk) return ToRocksdb(opened, path);
    return ToRocksdb(disk_.SizeOf(*file, *size), path);
  }
  IOStatus GetFileModificationTime(const std::string& /*path*/, const IOOptions& /*options*/,
                                   uint64_t* time, IODebugContext* /*dbg*/) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                      IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.Rename(from, to), to);
  }
  IOStatus LockFile(const std::string& path, const IOOptions& /*options*/, rocksdb::FileLock** lock,
                    IODebugContext* /*dbg*/) override {
    if (!disk_.Lock(path)) return IOStatus::IOError(path, "is locked");
    *lock = new Lock(path);  // UnlockFile deletes it: RocksDB's way
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions& /*options*/,
                      IODebugContext* /*dbg*/) override {
    const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
    disk_.Unlock(held->path());
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions& /*options*/, std::string* path,
                            IODebugContext* /*dbg*/) override {
    *path = "/";
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string& /*path*/, const IOOptions& /*options*/,
                     std::shared_ptr<rocksdb::Logger>* result, IODebugContext* /*dbg*/) override {
    *result = std::make_shared<NoDiary>();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions& /*options*/,
                           std::string* absolute, IODebugContext* /*dbg*/) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions& /*options*/, bool* folder,
                       IODebugContext* /*dbg*/) override {
    return ToRocksdb(disk_.IsFolder(WithoutSlash(path), *folder), path);
  }

 private:
  template <typename Opened, typename Base>
  IOStatus OpenAs(const std::string& path, std::unique_ptr<Base>* result) {
    FaultDisk::FilePtr file;
    const DiskResult opened = disk_.Open(path, file);
    if (opened == DiskResult::kOk) *result = std::make_unique<Opened>(disk_, std::move(file));
    return ToRocksdb(opened, path);
  }

  FaultDisk& disk_;
};

// RocksDB's background threads sleep for a second after a failure, in the hope of better times.
class ImpatientClock final : public rocksdb::SystemClockWrapper {
 public:
  using SystemClockWrapper::SystemClockWrapper;
  const char* Name() const override { return "quipu.ImpatientClock"; }
  void SleepForMicroseconds(int /*micros*/) override {}
};

class FaultEnv final : public rocksdb::EnvWrapper {
 public:
  FaultEnv(std::unique_ptr<rocksdb::Env> files, std::shared_ptr<rocksdb::FileSystem> system)
      : EnvWrapper(std::move(files)) {
    file_system_ = std::move(system);
    system_clock_ = std::make_shared<ImpatientClock>(rocksdb::SystemClock::Default());
  }
  const char* Name() const override { return "quipu.FaultEnv"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewFaultEnv(FaultDisk& disk) {
  const auto system = std::make_shared<FaultFileSystem>(disk);
  return std::make_unique<FaultEnv>(rocksdb::NewCompositeEnv(system), system);
}

}  // namespace quipu::faultfs
