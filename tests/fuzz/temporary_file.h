// Files for the targets that read files.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace quipu::fuzz {

// A file in memory, gone with the object. One owner.
class TemporaryFile {
 public:
  explicit TemporaryFile(absl::string_view content) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    QUIPU_CHECK(fd_ >= 0);
    QUIPU_CHECK(write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  }
  ~TemporaryFile() { close(fd_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

// A folder of this process, in memory where the machine has such a place; removed at its end.
inline const std::string& TemporaryFolder() {
  static const std::string* const folder = [] {
    std::string path =
        access("/dev/shm", W_OK) == 0 ? "/dev/shm/quipu-fuzz-XXXXXX" : "/tmp/quipu-fuzz-XXXXXX";
    QUIPU_CHECK(mkdtemp(path.data()) != nullptr);
    return new std::string(path);
  }();
  static const int registered = std::atexit([] { std::filesystem::remove_all(TemporaryFolder()); });
  QUIPU_CHECK(registered == 0);
  return *folder;
}

// Writes `name` in the folder anew; its path.
inline std::string WriteTemporary(const std::string& name, absl::string_view content) {
  const std::string path = TemporaryFolder() + "/" + name;
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  QUIPU_CHECK(file != nullptr);
  QUIPU_CHECK(std::fwrite(content.data(), 1, content.size(), file) == content.size());
  QUIPU_CHECK(std::fclose(file) == 0);
  return path;
}

}  // namespace quipu::fuzz
