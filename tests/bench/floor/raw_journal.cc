#include "tests/bench/floor/raw_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace quipu::floor {
namespace {

constexpr size_t kFillBytes = size_t{4} << 20;

}  // namespace

void Fail(const std::string& what) {
  std::fprintf(stderr, "quipu-bench-floor: %s: %s\n", what.c_str(), std::strerror(errno));
  std::_Exit(1);
}

char* AlignedMemory(size_t bytes) {
  void* memory = std::aligned_alloc(kBlockBytes, BlocksOf(bytes));
  if (memory == nullptr) Fail("aligned_alloc");
  std::memset(memory, 0, BlocksOf(bytes));
  return static_cast<char*>(memory);
}

RawJournal::RawJournal(const std::string& path, size_t file_bytes)
    : path_(path), file_bytes_(BlocksOf(file_bytes)) {
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
  if (file_ < 0) Fail(path + ": open with O_DIRECT");
  struct stat told{};
  if (fstat(file_, &told) != 0) Fail(path);
  const auto there = static_cast<size_t>(told.st_size);
  if (there != file_bytes_ || static_cast<size_t>(told.st_blocks) * 512 < file_bytes_) {
    WriteInAdvance();
  }
}

RawJournal::~RawJournal() { ::close(file_); }

void RawJournal::WriteInAdvance() {
  if (ftruncate(file_, 0) != 0) Fail(path_ + ": truncate");
  char* fill = AlignedMemory(kFillBytes);
  for (size_t at = 0; at < file_bytes_; at += kFillBytes) {
    const size_t bytes = std::min(kFillBytes, file_bytes_ - at);
    if (pwrite(file_, fill, bytes, static_cast<off_t>(at)) != static_cast<ssize_t>(bytes)) {
      Fail(path_ + ": write");
    }
  }
  std::free(fill);
  if (fsync(file_) != 0) Fail(path_ + ": sync");
}

void RawJournal::Append(const char* group, size_t bytes) {
  if (position_ + bytes > file_bytes_) position_ = 0;
  if (pwrite(file_, group, bytes, static_cast<off_t>(position_)) != static_cast<ssize_t>(bytes)) {
    Fail(path_ + ": write");
  }
  if (fdatasync(file_) != 0) Fail(path_ + ": sync");
  position_ += bytes;
  ++syncs_;
  bytes_written_ += bytes;
}

}  // namespace quipu::floor
