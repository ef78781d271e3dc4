// The log files of a folder, as a bundle takes them along.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace quipu::cli {

struct LogLimits {
  int depth_max = 8;                        // folders within folders
  size_t files_max = 100;                   // the newest
  size_t file_bytes_max = size_t{8} << 20;  // of each, its end
  size_t bytes_max = size_t{64} << 20;      // of all
};

struct LogFile {
  std::string name;  // below the folder
  std::string content;
  bool cut = false;  // only its end
};

struct LogFiles {
  std::vector<LogFile> files;                                 // newest first
  std::vector<std::pair<std::string, std::string>> left_out;  // name, why
};

// The files below `folder` with ".log" in their names. Links are not followed, and data directories
// (those with a meta.properties) are passed over: their .log files are write-ahead logs, with the
// contents of records. So is every file with a zero byte, which is no text. kStorageError: `folder`
// cannot be read.
absl::StatusOr<LogFiles> ReadLogFiles(const std::string& folder, const LogLimits& limits);

}  // namespace quipu::cli
