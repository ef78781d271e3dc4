#include "client/cli/bundle/log_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"

namespace quipu::cli {
namespace {

namespace fs = std::filesystem;

struct Candidate {
  fs::path path;
  std::string name;
  fs::file_time_type time;
};

// Collects what is named like a log.
class Walk {
 public:
  Walk(fs::path root, const LogLimits& limits, LogFiles& out)
      : root_(std::move(root)), limits_(limits), left_out_(out.left_out) {}

  void Into(const fs::path& folder, int depth) {
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    if (error) return LeaveOut(folder, error.message());
    for (; entries != fs::directory_iterator(); entries.increment(error)) {
      Look(*entries, depth);
    }
    if (error) LeaveOut(folder, error.message());
  }

  [[nodiscard]] std::vector<Candidate> TakeFound() { return std::move(found_); }

 private:
  void LeaveOut(const fs::path& path, const std::string& why) {
    left_out_.emplace_back(path.lexically_relative(root_).string(), why);
  }

  void Look(const fs::directory_entry& entry, int depth) {
    std::error_code error;
    const fs::file_status status = entry.symlink_status(error);
    if (error) return LeaveOut(entry.path(), error.message());
    if (fs::is_directory(status)) {
      if (depth >= limits_.depth_max) return LeaveOut(entry.path(), "too deep");
      if (fs::exists(entry.path() / "meta.properties", error)) {
        return LeaveOut(entry.path(), "a data directory, with contents of records");
      }
      return Into(entry.path(), depth + 1);
    }
    const std::string name = entry.path().filename().string();
    if (name.find(".log") == std::string::npos) return;
    if (!fs::is_regular_file(status)) return LeaveOut(entry.path(), "no plain file");
    const fs::file_time_type time = entry.last_write_time(error);
    if (error) return LeaveOut(entry.path(), error.message());
    found_.push_back({.path = entry.path(),
                      .name = entry.path().lexically_relative(root_).string(),
                      .time = time});
  }

  const fs::path root_;
  const LogLimits limits_;
  std::vector<std::pair<std::string, std::string>>& left_out_;
  std::vector<Candidate> found_;
};

// Its end; the error says why not, in words alone.
absl::StatusOr<LogFile> ReadEnd(const Candidate& candidate, size_t bytes_max) {
  std::ifstream file(candidate.path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? std::streamoff(file.tellg()) : -1;
  if (size < 0) return absl::UnavailableError("it cannot be read");
  LogFile out{.name = candidate.name, .content = {}, .cut = false};
  const auto limit = static_cast<std::streamoff>(bytes_max);
  out.cut = size > limit;
  file.seekg(out.cut ? size - limit : 0);
  out.content.resize(static_cast<size_t>(std::min(size, limit)));
  file.read(out.content.data(), static_cast<std::streamsize>(out.content.size()));
  if (file.bad()) return absl::UnavailableError("it cannot be read");
  out.content.resize(static_cast<size_t>(file.gcount()));
  if (out.content.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("it is no text");
  }
  return out;
}

}  // namespace

absl::StatusOr<LogFiles> ReadLogFiles(const std::string& folder, const LogLimits& limits) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat(folder, ": ", error ? error.message() : "it is no folder"));
  }
  if (fs::exists(fs::path(folder) / "meta.properties", error)) {
    return ToStatus(ErrorCode::kInvalidRequest,
                    absl::StrCat(folder,
                                 " is a data directory, with contents of records: name the "
                                 "folder of the logs"));
  }
  LogFiles out;
  Walk walk(folder, limits, out);
  walk.Into(folder, 0);
  std::vector<Candidate> found = walk.TakeFound();
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(b.time, a.name) < std::pair(a.time, b.name);
  });
  size_t bytes = 0;
  for (const Candidate& candidate : found) {
    const auto leave_out = [&](absl::string_view why) {
      out.left_out.emplace_back(candidate.name, why);
    };
    if (out.files.size() >= limits.files_max) {
      leave_out(absl::StrCat("more than ", limits.files_max, " files"));
      continue;
    }
    if (bytes >= limits.bytes_max) {
      leave_out(absl::StrCat("more than ", limits.bytes_max, " bytes in all"));
      continue;
    }
    absl::StatusOr<LogFile> file =
        ReadEnd(candidate, std::min(limits.file_bytes_max, limits.bytes_max - bytes));
    if (!file.ok()) {
      leave_out(file.status().message());
      continue;
    }
    bytes += file->content.size();
    out.files.push_back(*std::move(file));
  }
  return out;
}

}  // namespace quipu::cli
