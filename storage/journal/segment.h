// Segments in use, and where the next ones come from.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/files.h"
#include "storage/journal/journal_format.h"
#include "storage/wal_writer.h"

namespace quipu {

// Of memory that direct I/O takes (std::aligned_alloc).
struct AlignedDeleter {
  void operator()(char* memory) const { std::free(memory); }
};

// A segment that may be read. Whoever holds it keeps its file from being used for another.
struct Segment {
  uint64_t id = 0;
  uint64_t bytes = 0;
  std::string path;
};
using SegmentMap = std::map<uint64_t, std::shared_ptr<const Segment>>;

// Keeps one segment ready, so that the committer never waits for zeros to reach the disk, and takes
// back those that are free: a few are used again, the others removed. Thread-safe.
class SegmentMaker {
 public:
  struct Options {
    Files* files = nullptr;
    std::string folder;
    DirectoryId directory_id;
    uint64_t segment_bytes = 0;  // whole blocks
    size_t spares_max = 0;       // free segments that are kept for use
    FatalHandler fatal;
  };
  struct Stats {
    uint64_t made = 0;      // of zeros
    uint64_t recycled = 0;  // of free ones
    uint64_t removed = 0;
    size_t free = 0;  // kept, or waiting for a reader
    uint64_t free_bytes = 0;
  };

  // `next_id`: above that of every segment that ever was. `spares`: files in the folder that may be
  // used, each of segment_bytes.
  SegmentMaker(Options options, uint64_t next_id, std::vector<std::string> spares);
  ~SegmentMaker();
  SegmentMaker(const SegmentMaker&) = delete;
  SegmentMaker& operator=(const SegmentMaker&) = delete;

  // The next segment, durable with its name; its groups are all still to come. Waits for it.
  // kDiskFull, kStorageError.
  absl::StatusOr<std::shared_ptr<const Segment>> Take();
  // The same, for a group that is too large for a common one. Made by the caller's thread.
  absl::StatusOr<std::shared_ptr<const Segment>> TakeOfSize(uint64_t bytes);
  // Nothing in it is needed any more, and nothing durable refers to it.
  void GiveBack(std::shared_ptr<const Segment> segment);
  [[nodiscard]] Stats stats() const;

 private:
  void Run();
  absl::StatusOr<std::shared_ptr<const Segment>> Make(uint64_t id, uint64_t bytes,
                                                      const std::string& spare);
  absl::Status WriteZeros(const std::string& path, OpenFile& file, uint64_t bytes);
  // Free segments that nobody reads any more become spares, or go.
  absl::Status Reclaim(std::unique_lock<std::mutex>& lock);
  absl::Status Prepare(std::unique_lock<std::mutex>& lock);

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ready_;
  uint64_t next_id_;                                  // under mutex_
  std::vector<std::string> spares_;                   // under mutex_; paths
  std::vector<std::shared_ptr<const Segment>> free_;  // under mutex_
  std::shared_ptr<const Segment> prepared_;           // under mutex_
  absl::Status failed_;                               // under mutex_; of the last attempt
  bool stopping_ = false;                             // under mutex_
  Stats stats_;                                       // under mutex_
  std::thread thread_;
};

}  // namespace quipu
