// The operating system's files, as SystemFiles() gives them out.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu {

// kStorageError with `what`, `path` and the system's own text for the present errno.
absl::Status FileError(absl::string_view what, const std::string& path);

// Bytes that the file system of `path` has free for this process (D6).
absl::StatusOr<int64_t> DiskFreeBytes(const std::string& path);

}  // namespace quipu
