// Segments in use, and where the next ones come from.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
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
// back those that are free: a few are used again, the others removed. Once a segment has filled,
// spares are made before there is a use for them. Zeros that are written all at once take the disk
// from the groups: the next segment's keep ahead of the use of the present one, and spares behind
// it, the more slowly the more there are. Once one came back none is made ahead: beside those they
// would be written for nothing. Thread-safe.
class SegmentMaker {
 public:
  struct Options {
    Files* files = nullptr;
    std::string folder;
    DirectoryId directory_id;
    uint64_t segment_bytes = 0;  // whole blocks
    size_t spares_max = 0;       // free segments that are kept for use
    // So many of them are made ahead, where they take no more than a sixteenth of what is free.
    size_t spares_ahead = 0;  // <= spares_max
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
  // So many bytes more stand in the segment that is written to.
  void Used(uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  // Nothing in it is needed any more, and nothing durable refers to it.
  void GiveBack(std::shared_ptr<const Segment> segment);
  [[nodiscard]] Stats stats() const;

 private:
  // A file of zeros that is being made.
  struct Blank {
    uint64_t id = 0;
    uint64_t bytes = 0;
    std::string path;
    std::unique_ptr<OpenFile> file{};
    std::unique_ptr<OpenFile> direct{};  // null where there is no direct I/O
    uint64_t at = 0;                     // zeros were written up to here
  };
  struct Spare {
    std::string path;
    uint64_t unused_id = 0;  // 0: it holds groups of a former life
  };

  void Run();
  // Free segments that nobody reads any more become spares, or go; with them what was begun for
  // want of one: nothing would finish it, and a disk that was full may need the room.
  absl::Status Reclaim(std::unique_lock<std::mutex>& lock);
  absl::Status DropBlank(std::unique_lock<std::mutex>& lock);
  // Makes the next segment of a spare. Where there is none it makes one of zeros, at least as fast
  // as they may be needed, and returns when that is done or the maker stops.
  absl::Status Prepare(std::unique_lock<std::mutex>& lock);
  // Lets the disk be until the next piece for Prepare is due.
  void AwaitPiece(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] bool WantsAhead() const;
  // Writes a piece of a spare, and says how long to let the disk be before the next; nullopt where
  // the disk has no room for spares.
  absl::StatusOr<std::optional<absl::Duration>> MakeAhead(std::unique_lock<std::mutex>& lock);
  // Writes a piece of blank_, which is a spare when it is whole: synced with its head, and until
  // then gone at a start.
  absl::Status MakeSpare(std::unique_lock<std::mutex>& lock);

  // Waits until one is ready, which is made at the disk's speed meanwhile, and takes it.
  absl::StatusOr<std::shared_ptr<const Segment>> AwaitReady(std::unique_lock<std::mutex>& lock);
  absl::StatusOr<Blank> Begin(uint64_t id, uint64_t bytes) const;
  absl::Status WriteZeros(Blank& blank, uint64_t piece) const;
  // Gives a file its head and its name, by which it is a segment. One that does not fit is removed.
  absl::StatusOr<std::shared_ptr<const Segment>> Finish(const std::string& path, uint64_t id,
                                                        uint64_t bytes) const;
  // A full disk ends nothing, and gets back what was not finished.
  absl::Status RemoveIfFull(const absl::Status& status, const std::string& path) const;

  const Options options_;
  const std::unique_ptr<char, AlignedDeleter> zeros_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ready_;
  uint64_t next_id_;                                  // under mutex_
  std::vector<Spare> spares_;                         // under mutex_
  std::vector<std::shared_ptr<const Segment>> free_;  // under mutex_
  std::shared_ptr<const Segment> prepared_;           // under mutex_
  absl::Status failed_;                               // under mutex_; of the last attempt
  uint64_t taken_ = 0;                                // under mutex_
  size_t waiting_ = 0;                                // under mutex_; for prepared_
  uint64_t used_before_ = 0;                          // under mutex_; used_ when one was taken last
  bool came_back_ = false;                            // under mutex_; a segment did
  bool stopping_ = false;                             // under mutex_
  Stats stats_;                                       // under mutex_
  std::atomic<uint64_t> used_ = 0;
  std::optional<Blank> blank_;  // of thread_
  uint64_t ahead_at_ = 0;       // of thread_; used_ at the last piece that was made ahead
  std::thread thread_;
};

}  // namespace quipu
