// Space that is kept for the day on which the disk is full (D6).
#pragma once

#include <cstdint>
#include <string>

namespace quipu {

// A file of preallocated blocks in the data directory. When less than its own size is left on the
// file system it is removed, so that what must go on has room: deletions (which write before they
// free), metadata, the watermark, the followers of other leaders. When there is room for it again
// above the soft mark it is made anew. Its space never counts as free: producers come back only
// when there really is room. Control executor only, after the start.
class Ballast {
 public:
  struct Options {
    std::string path;  // of the file
    int64_t bytes =
        0;  // quipu.disk.ballast.bytes; 0: none is kept, and one that is there is removed
    int64_t mark = 0;  // quipu.disk.free.bytes.min
  };
  explicit Ballast(Options options);

  // To be called with what the file system has free, before the database is opened and then every
  // second. Makes or removes the file, and returns what is free for producers: `free_bytes` without
  // what the ballast has to get back.
  int64_t Keep(int64_t free_bytes);

  [[nodiscard]] int64_t held_bytes() const { return held_; }

 private:
  void Make();
  void Remove();

  const Options options_;
  int64_t held_ = 0;
  bool impossible_ = false;  // the file system cannot preallocate: said once
};

}  // namespace quipu
