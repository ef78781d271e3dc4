// A tar archive in gzip: POSIX ustar, as every `tar` reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu::cli {

// Writes one new file, readable by its owner alone. One thread.
//
// Until Finish has succeeded the file is not whole, and the destructor removes it.
class TarGz {
 public:
  // Begins `path`. `time_s`: of every member, seconds since 1970. kDuplicateResource: something is
  // there already, which stays as it is. kStorageError: it cannot be made.
  static absl::StatusOr<std::unique_ptr<TarGz>> Create(const std::string& path, int64_t time_s);
  ~TarGz();
  TarGz(const TarGz&) = delete;
  TarGz& operator=(const TarGz&) = delete;

  // Adds a file. `name`: relative, of at most 255 bytes, of which the last part has at most 100
  // (kInvalidRequest, nothing is added). kStorageError: the disk refuses, and the archive is lost.
  [[nodiscard]] absl::Status Add(const std::string& name, absl::string_view content);
  // Ends the archive and syncs the file, but not its folder. Returns its size in bytes.
  // kStorageError.
  [[nodiscard]] absl::StatusOr<int64_t> Finish();

 private:
  struct Gzip;  // zlib's
  TarGz(std::string path, int64_t time_s, int fd, std::unique_ptr<Gzip> gzip);
  [[nodiscard]] absl::Status Write(absl::string_view bytes);

  const std::string path_;
  const int64_t time_s_;
  int fd_ = -1;  // -1: closed
  std::unique_ptr<Gzip> gzip_;
  bool whole_ = false;
};

}  // namespace quipu::cli
