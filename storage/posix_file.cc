#include "storage/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/files.h"

namespace quipu {
namespace {

// Closes a descriptor at the end of a scope.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  // Gives the descriptor away.
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

class PosixOpenFile final : public OpenFile {
 public:
  PosixOpenFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  absl::StatusOr<size_t> ReadAt(uint64_t position, size_t length, char* out) override {
    size_t got = 0;
    while (got < length) {
      const ssize_t read =
          ::pread(fd_.get(), out + got, length - got, static_cast<off_t>(position + got));
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) return FileError("cannot read", path_);
      if (read == 0) break;
      got += static_cast<size_t>(read);
    }
    return got;
  }
  bool WouldWait(uint64_t position) override {
    char byte = 0;
    const iovec to{.iov_base = &byte, .iov_len = 1};
    return ::preadv2(fd_.get(), &to, 1, static_cast<off_t>(position), RWF_NOWAIT) < 0 &&
           errno == EAGAIN;
  }
  void WillRead(uint64_t position, size_t length) override {
    // Without it the read is as right, and later.
    (void)::posix_fadvise(fd_.get(), static_cast<off_t>(position), static_cast<off_t>(length),
                          POSIX_FADV_WILLNEED);
  }
  absl::Status WriteAt(uint64_t position, absl::string_view bytes) override {
    auto at = static_cast<off_t>(position);
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return FileError("cannot write", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
      at += written;
    }
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    if (::fdatasync(fd_.get()) != 0) return FileError("cannot sync", path_);
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  const FileDescriptor fd_;
};

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

std::string FolderOf(const std::string& path) {
  const size_t name_end = path.find_last_not_of('/');  // "a/b/" lies in "a"
  const size_t slash = path.rfind('/', name_end);
  if (slash == std::string::npos) return ".";
  return slash == 0 || name_end == std::string::npos ? "/" : path.substr(0, slash);
}

absl::Status WriteFileDurably(Files& files, const std::string& path, absl::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OpenFile> file, files.Create(temporary));
    QUIPU_RETURN_IF_ERROR(file->WriteAt(0, content));
    QUIPU_RETURN_IF_ERROR(file->Sync());
  }
  QUIPU_RETURN_IF_ERROR(files.Rename(temporary, path));
  return files.SyncFolder(FolderOf(path));
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
