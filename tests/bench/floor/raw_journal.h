// The least that a durable log can do: a file that was written before, aligned groups, one sync
// each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace quipu::floor {

inline constexpr size_t kBlockBytes = 4096;  // of direct I/O

inline size_t BlocksOf(size_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

// Ends the program with exit code 1 and what the system says of errno.
[[noreturn]] void Fail(const std::string& what);

// Memory that direct I/O takes, zeroed; never given back.
char* AlignedMemory(size_t bytes);

// One file past the page cache. Its space is written in full before the first append, as a log's
// recycled segment is, so that no sync has to write metadata; at its end it begins anew. One
// thread.
class RawJournal {
 public:
  RawJournal(const std::string& path, size_t file_bytes);
  ~RawJournal();
  RawJournal(const RawJournal&) = delete;
  RawJournal& operator=(const RawJournal&) = delete;

  // `group` is aligned, `bytes` whole blocks and no more than the file. Durable on return.
  void Append(const char* group, size_t bytes);
  [[nodiscard]] uint64_t syncs() const { return syncs_; }
  [[nodiscard]] uint64_t bytes_written() const { return bytes_written_; }

 private:
  void WriteInAdvance();

  const std::string path_;
  const size_t file_bytes_;
  int file_ = -1;
  size_t position_ = 0;
  uint64_t syncs_ = 0;
  uint64_t bytes_written_ = 0;
};

}  // namespace quipu::floor
