// The operating system's files, as SystemFiles() gives them out.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu {

// kStorageError with `what`, `path` and the system's own text for the present errno; kDiskFull for
// ENOSPC.
absl::Status FileError(absl::string_view what, const std::string& path);

// Of a file system, in bytes.
struct DiskSpace {
  int64_t free_bytes = -1;  // for this process
  int64_t total_bytes = -1;
};
// The file system of `path`. kStorageError.
absl::StatusOr<DiskSpace> DiskSpaceOf(const std::string& path);
// Its free bytes alone (D6).
absl::StatusOr<int64_t> DiskFreeBytes(const std::string& path);

struct FilesUse {
  int64_t files = 0;
  int64_t bytes = 0;  // their lengths
};
// Of the files of `folder` whose names end in `suffix`; not below it. A file that goes meanwhile is
// not counted. kStorageError when the folder cannot be read.
absl::StatusOr<FilesUse> UseOfFiles(const std::string& folder, absl::string_view suffix);

}  // namespace quipu
