#include "storage/posix/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "storage/files.h"
#include "storage/posix/aio_write_queue.h"
#include "storage/posix/posix_open_file.h"

namespace quipu {
namespace {

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int fd) : fd_(fd) {}

 private:
  const FileDescriptor fd_;
};

absl::StatusOr<std::unique_ptr<OpenFile>> OpenWithFlags(const std::string& path, int flags,
                                                        absl::string_view what) {
  FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!file.ok()) return FileError(what, path);
  return std::make_unique<PosixOpenFile>(path, file.Release());
}

class PosixFiles final : public Files {
 public:
  absl::StatusOr<std::string> Read(const std::string& path) override {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.ok() && errno == ENOENT) {
      return ToStatus(ErrorCode::kResourceNotFound, absl::StrCat("there is no file ", path));
    }
    if (!file.ok()) return FileError("cannot open", path);
    std::string content;
    char buffer[4096];
    while (true) {
      const ssize_t got = ::read(file.get(), buffer, sizeof(buffer));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileError("cannot read", path);
      if (got == 0) return content;
      content.append(buffer, static_cast<size_t>(got));
    }
  }
  absl::StatusOr<std::unique_ptr<OpenFile>> Create(const std::string& path) override {
    return OpenWithFlags(path, O_WRONLY | O_CREAT | O_TRUNC, "cannot create");
  }
  absl::StatusOr<std::unique_ptr<OpenFile>> OpenExisting(const std::string& path) override {
    return OpenWithFlags(path, O_RDWR, "cannot open");
  }
  absl::StatusOr<std::unique_ptr<OpenFile>> OpenForReading(const std::string& path) override {
    return OpenWithFlags(path, O_RDONLY, "cannot open");
  }
  absl::StatusOr<std::unique_ptr<OpenFile>> OpenDirect(const std::string& path) override {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    if (!file.ok() && errno == EINVAL) return std::unique_ptr<OpenFile>();
    if (!file.ok()) return FileError("cannot open", path);
    return std::make_unique<PosixOpenFile>(path, file.Release());
  }
  std::unique_ptr<WriteQueue> NewWriteQueue() override { return NewAioWriteQueue(); }
  absl::StatusOr<uint64_t> SizeOf(const std::string& path) override {
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0) return FileError("cannot ask for the length of", path);
    return static_cast<uint64_t>(info.st_size);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::string& path) override {
    return DiskFreeBytes(path);
  }
  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return FileError("cannot remove", path);
    return absl::OkStatus();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) return FileError("cannot rename to", to);
    return absl::OkStatus();
  }
  absl::Status MakeFolder(const std::string& path) override {
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
      return FileError("cannot make folder", path);
    }
    return absl::OkStatus();
  }
  absl::Status SyncFolder(const std::string& path) override {
    const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.ok()) return FileError("cannot open folder", path);
    if (::fsync(folder.get()) != 0) return FileError("cannot sync folder", path);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) return FileError("cannot read folder", path);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(folder);
    return names;
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!file.ok()) return FileError("cannot make", path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return FileError("cannot lock", path);
      return std::unique_ptr<FileLock>();
    }
    return std::make_unique<PosixFileLock>(file.Release());
  }
};

}  // namespace

Files& SystemFiles() {
  static PosixFiles files;
  return files;
}

absl::Status FileError(absl::string_view what, const std::string& path) {
  const int code = errno;
  return ToStatus(code == ENOSPC ? ErrorCode::kDiskFull : ErrorCode::kStorageError,
                  absl::StrCat(what, " ", path, ": ", strerror(code)));
}

absl::StatusOr<DiskSpace> DiskSpaceOf(const std::string& path) {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) return FileError("cannot ask for free space of", path);
  const auto block = static_cast<int64_t>(info.f_frsize);
  return DiskSpace{.free_bytes = static_cast<int64_t>(info.f_bavail) * block,
                   .total_bytes = static_cast<int64_t>(info.f_blocks) * block};
}

absl::StatusOr<int64_t> DiskFreeBytes(const std::string& path) {
  const absl::StatusOr<DiskSpace> space = DiskSpaceOf(path);
  if (!space.ok()) return space.status();
  return space->free_bytes;
}

absl::StatusOr<FilesUse> UseOfFiles(const std::string& folder, absl::string_view suffix) {
  FilesUse use;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (!absl::EndsWith(it->path().filename().string(), suffix)) continue;
    std::error_code gone;
    const uintmax_t bytes = it->file_size(gone);
    if (gone) continue;
    ++use.files;
    use.bytes += static_cast<int64_t>(bytes);
  }
  if (error) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat("cannot list ", folder, ": ", error.message()));
  }
  return use;
}

}  // namespace quipu
