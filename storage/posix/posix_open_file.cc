#include "storage/posix/posix_open_file.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "storage/posix/posix_file.h"

namespace quipu {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<size_t> PosixOpenFile::ReadAt(uint64_t position, size_t length, char* out) {
  size_t got = 0;
  while (got < length) {
    const ssize_t read =
        ::pread(fd_.get(), out + got, length - got, static_cast<off_t>(position + got));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return FileError("cannot read", path_);
    if (read == 0) break;
    got += static_cast<size_t>(read);
  }
  return got;
}

bool PosixOpenFile::WouldWait(uint64_t position) {
  char byte = 0;
  const iovec to{.iov_base = &byte, .iov_len = 1};
  return ::preadv2(fd_.get(), &to, 1, static_cast<off_t>(position), RWF_NOWAIT) < 0 &&
         errno == EAGAIN;
}

void PosixOpenFile::WillRead(uint64_t position, size_t length) {
  // Without it the read is as right, and later.
  (void)::posix_fadvise(fd_.get(), static_cast<off_t>(position), static_cast<off_t>(length),
                        POSIX_FADV_WILLNEED);
}

absl::Status PosixOpenFile::WriteAt(uint64_t position, absl::string_view bytes) {
  auto at = static_cast<off_t>(position);
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("cannot write", path_);
    bytes.remove_prefix(static_cast<size_t>(written));
    at += written;
  }
  return absl::OkStatus();
}

absl::Status PosixOpenFile::Sync() {
  if (::fdatasync(fd_.get()) != 0) return FileError("cannot sync", path_);
  return absl::OkStatus();
}

}  // namespace quipu
