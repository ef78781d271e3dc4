#include "storage/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

absl::Status WriteAll(int fd, absl::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("cannot write", path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

std::string FolderOf(const std::string& path) {
  const size_t name_end = path.find_last_not_of('/');  // "a/b/" lies in "a"
  const size_t slash = path.rfind('/', name_end);
  if (slash == std::string::npos) return ".";
  return slash == 0 || name_end == std::string::npos ? "/" : path.substr(0, slash);
}

absl::Status FileError(absl::string_view what, const std::string& path) {
  const int code = errno;
  return ToStatus(ErrorCode::kStorageError, absl::StrCat(what, " ", path, ": ", strerror(code)));
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int FileDescriptor::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
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

absl::Status WriteFileDurably(const std::string& path, absl::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    const FileDescriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.ok()) return FileError("cannot create", temporary);
    QUIPU_RETURN_IF_ERROR(WriteAll(file.get(), content, temporary));
    if (::fsync(file.get()) != 0) return FileError("cannot sync", temporary);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return FileError("cannot rename to", path);
  return SyncDirectory(FolderOf(path));
}

absl::Status SyncDirectory(const std::string& path) {
  const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok()) return FileError("cannot open folder", path);
  if (::fsync(folder.get()) != 0) return FileError("cannot sync folder", path);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> DiskFreeBytes(const std::string& path) {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) return FileError("cannot ask for free space of", path);
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace quipu
