// The few file operations that the data directory needs, durable where they say so.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu {

// kStorageError with `what`, `path` and the system's own text for the present errno.
absl::Status FileError(absl::string_view what, const std::string& path);

// The whole file. kResourceNotFound when there is none, else kStorageError.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);
// Writes a new file under a temporary name, syncs it, renames it over `path` and syncs the folder:
// after a crash the file is there whole, or not at all.
absl::Status WriteFileDurably(const std::string& path, absl::string_view content);
// The folder that holds `path`, which may end with slashes.
std::string FolderOf(const std::string& path);
// Syncs a folder, so that names made or removed in it are durable.
absl::Status SyncDirectory(const std::string& path);

// Bytes that the file system of `path` has free for this process (D6).
absl::StatusOr<int64_t> DiskFreeBytes(const std::string& path);

// Closes a descriptor at the end of a scope.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  // Gives the descriptor away.
  int Release();

 private:
  int fd_;
};

}  // namespace quipu
