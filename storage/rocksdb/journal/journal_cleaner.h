// Keeps a journal short: bounds what a start replays, and frees segments.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/time.h"
#include "storage/rocksdb/journal/journal_log.h"
#include "storage/rocksdb/proven_db.h"
#include "storage/rocksdb/rocksdb_log_iterator.h"

namespace quipu {

// A thread that
//   - writes RocksDB's memory tables out when a start would have to replay too much,
//   - frees a segment when each log in it is dropped or begins behind what it has there. First the
//     tables are written out: no later start, however much of the journal it finds, has an index
//     that points into the segment.
//   - moves what lives of a segment that is mostly dead into a group of its own, by which only the
//     batches' places change. Not while it goes on dying: under retention the rest follows by
//     itself.
// It pauses between two rounds, so that what dies meanwhile is freed with one flush of the tables;
// not for longer than some segments take to be filled, or the spares would not last.
class JournalCleaner {
 public:
  struct Options {
    uint64_t flush_bytes = JournalSettings().replay_bytes;
    uint64_t dead_percent = 75;  // of a segment's batches, before the rest is moved
    uint64_t newest_kept = 2;    // segment ids, the active one's too, of which none is moved
    size_t move_bytes = size_t{4} << 20;  // in one group
    Duration pause = std::chrono::milliseconds(250);
    uint64_t pause_segments = 2;  // filled since a round began, which end the pause
    // Without a death in a segment that is mostly dead, before the rest is moved.
    Duration settle = std::chrono::seconds(5);
  };
  struct Ports {
    JournalLog* log;
    ProvenDb* db;
    // Who writes places of batches that it has read in the database holds it from before the read.
    std::mutex* places_mutex;
    // Where a log begins; nullopt: it was dropped.
    std::function<std::optional<Offset>(LogId)> log_start;
    // Writes every family's memory table out.
    std::function<absl::Status()> flush;
    FatalHandler fatal;
  };
  struct Stats {
    uint64_t moved_bytes = 0;
    uint64_t freed_segments = 0;
  };

  JournalCleaner(Ports ports, Options options);
  ~JournalCleaner();
  JournalCleaner(const JournalCleaner&) = delete;
  JournalCleaner& operator=(const JournalCleaner&) = delete;

  // A group was written; cheap. Any thread.
  void OnWrite() {
    if (MustFlush()) Wake();
    const uint64_t hurry_at = hurry_at_.load();
    if (hurry_at != kNoPause && ports_.log->journal().active() >= hurry_at) EndPause();
  }
  // Something died. Any thread.
  void Wake();
  void WaitUntilIdle();
  [[nodiscard]] Stats stats() const { return {moved_bytes_.load(), freed_.load()}; }

 private:
  static constexpr uint64_t kNoPause = ~uint64_t{0};

  void Run();
  // Before the next round.
  void Pause(std::unique_lock<std::mutex>& lock);
  // Begins no round: that takes something that died.
  void EndPause();
  [[nodiscard]] bool MustFlush() const {
    return ports_.log->unflushed_bytes() > options_.flush_bytes;
  }
  absl::Status Clean();
  absl::Status Flush();
  [[nodiscard]] bool IsDead(LogId log_id, const SegmentLogUse& use) const;
  // Whether nothing lives in the segment, if need be because it was moved.
  absl::StatusOr<bool> IsFree(uint64_t segment, const SegmentUse& use, bool movable);
  // Whether a segment that is mostly dead has had no death for long; looked at again if not.
  bool HasSettled(uint64_t segment, uint64_t dead_bytes);
  // Whether everything that lives in the segment was moved.
  absl::StatusOr<bool> Move(uint64_t segment, const SegmentUse& use);
  absl::StatusOr<bool> MoveLog(uint64_t segment, LogId log_id, const SegmentLogUse& use);
  enum class Moved {
    kAll,
    kNotAll,  // some of it has changed since it was read
    kCannot,  // damaged, or this thread is to end
  };
  // Moves what lies there at one moment.
  absl::StatusOr<Moved> MoveWhatIsThere(uint64_t segment, LogId log_id, const SegmentLogUse& use);
  // The batches of one key, but for those below the log start.
  struct Candidate {
    std::string value;  // of the key
    std::vector<BatchPut> puts;
  };
  // Whether none had changed since it was read.
  absl::StatusOr<bool> MoveBatches(const std::vector<Candidate>& candidates);
  absl::Status Free(const std::vector<uint64_t>& segments);

  const Ports ports_;
  const Options options_;
  // Free segments that may still lie in the folder under their names: until they do not, it stays
  // written down that nothing lives in them. Gone with the last reader, and the name. This thread
  // only.
  std::map<uint64_t, std::weak_ptr<const Segment>> given_back_;
  uint64_t round_began_at_ = 0;  // the active segment. The same.
  // Segments that are mostly dead, in the last round and in this one. The same.
  struct Dying {
    uint64_t dead_bytes;
    std::chrono::steady_clock::time_point since;  // no byte more
  };
  std::map<uint64_t, Dying> dying_before_;
  std::map<uint64_t, Dying> dying_;
  std::atomic<uint64_t> hurry_at_{kNoPause};  // active segment that ends the pause
  std::atomic<uint64_t> moved_bytes_{0};
  std::atomic<uint64_t> freed_{0};
  std::atomic<bool> canceled_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  bool woken_ = true;      // under mutex_; a start may find something to free
  bool busy_ = false;      // under mutex_
  bool waits_ = false;     // under mutex_; for a segment to settle
  bool stopping_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace quipu
