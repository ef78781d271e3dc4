#include "broker/process/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/logging.h"

namespace quipu {

Ballast::Ballast(Options options) : options_(std::move(options)) {
  struct stat facts{};
  if (::stat(options_.path.c_str(), &facts) != 0) return;
  held_ = static_cast<int64_t>(facts.st_blocks) * 512;
  if (held_ < options_.bytes || options_.bytes == 0) Remove();  // cut short, or of other settings
}

int64_t Ballast::Keep(int64_t free_bytes) {
  if (options_.bytes == 0) return free_bytes;
  if (held_ > 0 && free_bytes < options_.bytes) {
    LogError("broker.ballast_released",
             {{"free_bytes", std::to_string(free_bytes)}, {"bytes", std::to_string(held_)}});
    const int64_t released = held_;
    Remove();
    if (held_ == 0) free_bytes += released;
  }
  if (held_ == 0 && !impossible_ && free_bytes >= options_.mark + options_.bytes) {
    Make();
    if (held_ > 0) free_bytes -= held_;
  }
  if (impossible_) return free_bytes;
  return held_ > 0 ? free_bytes : free_bytes - options_.bytes;
}

void Ballast::Make() {
  const int fd = ::open(options_.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  const int made = fd < 0 ? -1 : ::fallocate(fd, 0, 0, options_.bytes);
  const int code = errno;
  if (fd >= 0) ::close(fd);
  if (made == 0) {
    held_ = options_.bytes;
    return;
  }
  ::unlink(options_.path.c_str());
  if (code == ENOSPC || code == EDQUOT) return;  // somebody else was quicker: next time
  impossible_ = true;
  LogWarn("broker.no_ballast",
          {{"path", options_.path}, {"error", std::string(std::strerror(code))}});
}

void Ballast::Remove() {
  if (::unlink(options_.path.c_str()) == 0 || errno == ENOENT) {
    held_ = 0;
    return;
  }
  LogError("broker.ballast_not_removed",
           {{"path", options_.path}, {"error", std::string(std::strerror(errno))}});
}

}  // namespace quipu
