#include "client/cli/records/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu::cli {
namespace {

constexpr int kAskStopMs = 50;
constexpr size_t kReadBytes = size_t{64} << 10;

}  // namespace

absl::StatusOr<LineSource> LineSource::Open(const std::string& path, std::function<bool()> stop) {
  if (path.empty() || path == "-") return LineSource(STDIN_FILENO, std::move(stop));
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  LineSource source(descriptor, std::move(stop));
  source.owned_ = true;
  return source;
}

LineSource::LineSource(LineSource&& other) noexcept
    : descriptor_(other.descriptor_),
      owned_(std::exchange(other.owned_, false)),
      stop_(std::move(other.stop_)),
      buffer_(std::move(other.buffer_)),
      at_(other.at_),
      line_(other.line_),
      at_end_(other.at_end_),
      stopped_(other.stopped_) {}

LineSource::~LineSource() {
  if (owned_) close(descriptor_);
}

absl::StatusOr<bool> LineSource::Next(std::string& line) {
  size_t searched = at_;
  while (true) {
    if (stop_ && stop_()) stopped_ = true;
    if (stopped_) return false;
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, at_, end - at_);
      at_ = end + 1;
      ++line_;
      break;
    }
    if (at_end_) {
      if (at_ == buffer_.size()) return false;
      line.assign(buffer_, at_);
      at_ = buffer_.size();
      ++line_;
      break;
    }
    if (buffer_.size() - at_ > kInputLineBytesMax) {
      ++line_;
      return ToStatus(ErrorCode::kInvalidRecord,
                      absl::StrCat("longer than ", kInputLineBytesMax, " bytes"));
    }
    buffer_.erase(0, at_);
    at_ = 0;
    searched = buffer_.size();
    QUIPU_RETURN_IF_ERROR(Fill());
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

// Returns when there is more, at the end, or after kAskStopMs.
absl::Status LineSource::Fill() {
  pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
  const int count = poll(&ready, 1, kAskStopMs);
  if (count == 0 || (count < 0 && errno == EINTR)) return absl::OkStatus();
  const size_t had = buffer_.size();
  buffer_.resize(had + kReadBytes);
  const ssize_t got = count < 0 ? -1 : read(descriptor_, buffer_.data() + had, kReadBytes);
  const int error = errno;
  buffer_.resize(had + (got > 0 ? static_cast<size_t>(got) : 0));
  if (got == 0) at_end_ = true;
  if (got < 0 && error != EINTR && error != EAGAIN) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat("the input cannot be read: ", std::strerror(error)));
  }
  return absl::OkStatus();
}

}  // namespace quipu::cli
