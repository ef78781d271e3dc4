// A file of the operating system.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/files.h"

namespace quipu {

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
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

// Owns the descriptor.
class PosixOpenFile final : public OpenFile {
 public:
  PosixOpenFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::StatusOr<size_t> ReadAt(uint64_t position, size_t length, char* out) override;
  bool WouldWait(uint64_t position) override;
  void WillRead(uint64_t position, size_t length) override;
  absl::Status WriteAt(uint64_t position, absl::string_view bytes) override;
  absl::Status Sync() override;

  [[nodiscard]] int descriptor() const { return fd_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const std::string path_;
  const FileDescriptor fd_;
};

}  // namespace quipu
