// Gives the space of trimmed batches and dropped logs back to the file system.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "rocksdb/db.h"

namespace quipu {

// RocksDB moves append-only tables from level to level without compacting them, so the trim filter
// would never run by itself (RocksDB issues 1974 and 1394). This thread asks for it: it compacts a
// log's trimmed range once enough of it is reclaimable, and a dropped log's at once. Only keys are
// rewritten; a blob file goes when nothing points into it any more. When dropped and living batches
// share blob files, so that garbage stays, it relocates the living ones, but only once half of all
// blob bytes are garbage: each byte is then rewritten less than once on average.
class Trimmer {
 public:
  struct Options {
    int64_t reclaim_bytes_min = int64_t{64} << 20;  // of one log, before it is worth a compaction
    double garbage_ratio = 0.5;                     // of all blob bytes, before blobs are relocated
  };
  struct Ports {
    rocksdb::DB* db;  // must outlive the trimmer, as the families
    rocksdb::ColumnFamilyHandle* log;
    rocksdb::ColumnFamilyHandle* time_index;
    // Bytes of a living log below its log start that are still on disk, approximately.
    std::function<int64_t(LogId)> reclaimable_bytes;
    // Forgets a dropped log whose space was given back; durable.
    std::function<absl::Status(LogId)> forget_dropped;
    // Writes every family's memory table out. The groups of a living log are in the same WAL as
    // those of a dropped one, and keep it.
    std::function<absl::Status()> flush;
    // A failed compaction ends the process: the database takes no more writes after it (D3).
    std::function<void(const std::string&)> fatal;
  };

  Trimmer(Ports ports, Options options);
  // Cancels a running compaction and ends the thread.
  ~Trimmer();
  Trimmer(const Trimmer&) = delete;
  Trimmer& operator=(const Trimmer&) = delete;

  // Any thread.
  void OnTrimmed(LogId log_id, Offset log_start);
  void OnDropped(LogId log_id);
  // Waits until nothing is left to do. For tests and for orderly measurements.
  void WaitUntilIdle();

 private:
  void Run();
  absl::Status Reclaim(LogId log_id, Offset below);
  absl::Status ReclaimDropped(LogId log_id);
  absl::Status CompactRange(rocksdb::ColumnFamilyHandle* family, absl::string_view from,
                            absl::string_view to);
  absl::Status RelocateBlobsIfWorthIt();

  const Ports ports_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  absl::btree_map<LogId, Offset> trimmed_;  // under mutex_
  absl::btree_set<LogId> dropped_;          // under mutex_
  bool busy_ = false;                       // under mutex_
  bool stopping_ = false;                   // under mutex_
  std::atomic<bool> canceled_{false};
  std::thread thread_;
};

}  // namespace quipu
