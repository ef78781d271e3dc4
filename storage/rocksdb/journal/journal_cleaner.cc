#include "storage/rocksdb/journal/journal_cleaner.h"

#include <pthread.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "storage/rocksdb/log_families.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {

JournalCleaner::JournalCleaner(Ports ports, Options options)
    : ports_(std::move(ports)), options_(options), thread_([this] { Run(); }) {}

JournalCleaner::~JournalCleaner() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  canceled_.store(true);
  wake_.notify_all();
  thread_.join();
}

void JournalCleaner::Wake() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void JournalCleaner::WaitUntilIdle() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return !woken_ && !busy_ && !waits_; });
}

void JournalCleaner::Run() {
  pthread_setname_np(pthread_self(), "journal-cleaner");
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    const auto wanted = [this] { return stopping_ || woken_; };
    if (waits_) {
      wake_.wait_for(lock, options_.settle, wanted);
    } else {
      wake_.wait(lock, wanted);
    }
    if (stopping_) return;
    woken_ = false;
    busy_ = true;
    lock.unlock();
    const absl::Status status = Clean();
    if (!status.ok() && !canceled_.load()) ports_.fatal(std::string(status.message()));
    lock.lock();
    busy_ = false;
    waits_ = status.ok() && !dying_.empty();
    if (!woken_ && !waits_) idle_.notify_all();
    if (!status.ok()) return;  // the process ends
    Pause(lock);
  }
}

void JournalCleaner::Pause(std::unique_lock<std::mutex>& lock) {
  const uint64_t full_at = round_began_at_ + options_.pause_segments;
  hurry_at_.store(full_at);
  wake_.wait_for(lock, options_.pause, [&] {
    return stopping_ || MustFlush() || ports_.log->journal().active() >= full_at;
  });
  hurry_at_.store(kNoPause);
}

void JournalCleaner::EndPause() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
  }  // it sleeps, or has yet to look
  wake_.notify_one();
}

absl::Status JournalCleaner::Flush() {
  ports_.log->NoteFlush();
  return ports_.flush();
}

bool JournalCleaner::IsDead(LogId log_id, const SegmentLogUse& use) const {
  if (log_id == SegmentUses::kUnknown) return false;
  const std::optional<Offset> log_start = ports_.log_start(log_id);
  return !log_start.has_value() || use.last_offset < *log_start;
}

absl::Status JournalCleaner::Clean() {
  if (MustFlush()) QUIPU_RETURN_IF_ERROR(Flush());
  dying_before_ = std::exchange(dying_, {});
  // In this order: what is in use is known before a segment is left behind.
  const std::shared_ptr<const SegmentMap> segments = ports_.log->journal().segments();
  const uint64_t active = ports_.log->journal().active();
  round_began_at_ = active;
  std::set<uint64_t> ids = ports_.log->uses().Segments();
  // A segment in which nothing is known to lie, and one whose file is gone, count too.
  for (const auto& [id, segment] : *segments) ids.insert(id);
  std::vector<uint64_t> free;
  for (const uint64_t id : ids) {
    if (id >= active || canceled_.load()) break;
    const bool movable = id + options_.newest_kept <= active && segments->contains(id);
    // One at a time: all of them may be millions of logs' shares, and the writer waits meanwhile.
    const SegmentUse use = ports_.log->uses().Get(id);
    QUIPU_ASSIGN_OR_RETURN(const bool is_free, IsFree(id, use, movable));
    if (is_free) free.push_back(id);
  }
  if (free.empty() || canceled_.load()) return absl::OkStatus();
  return Free(free);
}

absl::StatusOr<bool> JournalCleaner::IsFree(uint64_t segment, const SegmentUse& use, bool movable) {
  uint64_t dead = 0;
  uint64_t all = 0;
  bool any_alive = false;
  for (const auto& [log_id, log] : use) {
    const bool is_dead = IsDead(log_id, log);
    all += log.bytes;
    dead += is_dead ? log.bytes : 0;
    any_alive |= !is_dead;
  }
  if (!any_alive) return true;
  const bool worth_it = dead > 0 && dead * 100 >= all * options_.dead_percent;
  if (!movable || !worth_it || use.contains(SegmentUses::kUnknown)) return false;
  if (!HasSettled(segment, dead)) return false;
  return Move(segment, use);
}

bool JournalCleaner::HasSettled(uint64_t segment, uint64_t dead_bytes) {
  const auto now = std::chrono::steady_clock::now();
  Dying dying{.dead_bytes = dead_bytes, .since = now};
  const auto before = dying_before_.find(segment);
  if (before != dying_before_.end() && before->second.dead_bytes == dead_bytes) {
    dying.since = before->second.since;
  }
  if (now - dying.since >= options_.settle && before != dying_before_.end()) return true;
  dying_.emplace(segment, dying);
  return false;
}

// The group that says so comes first: what it is written behind lies in a newer segment, so the one
// in which a later start begins its walk is none of these.
absl::Status JournalCleaner::Free(const std::vector<uint64_t>& segments) {
  const std::shared_ptr<const SegmentMap> files = ports_.log->journal().segments();
  std::vector<uint64_t> gone;
  QUIPU_RETURN_IF_ERROR(ports_.db->WriteBuilt(
      [&](rocksdb::WriteBatch& batch, std::vector<BatchPut>& /*puts*/) -> absl::Status {
        rocksdb::Status status;
        for (const uint64_t segment : segments) {
          if (!files->contains(segment)) {
            gone.push_back(segment);
            continue;
          }
          const auto key = EncodeSegmentUseKey(segment);
          KeepFirst(status,
                    batch.Put(ports_.db->family(kMeta), ToSlice(key.view()), EncodeSegmentUse({})));
        }
        for (const auto& [segment, file] : given_back_) {
          if (file.expired()) gone.push_back(segment);
        }
        for (const uint64_t segment : gone) {
          const auto key = EncodeSegmentUseKey(segment);
          KeepFirst(status, batch.Delete(ports_.db->family(kMeta), ToSlice(key.view())));
        }
        return FromRocksdb(status, "cannot free segments");
      }));
  QUIPU_RETURN_IF_ERROR(Flush());
  for (const uint64_t segment : gone) given_back_.erase(segment);
  for (const uint64_t segment : segments) {
    const auto file = files->find(segment);
    if (file != files->end()) given_back_[segment] = file->second;
  }
  ports_.log->journal().Free(segments);
  ports_.log->uses().Remove(segments);
  freed_ += segments.size();
  return absl::OkStatus();
}

absl::StatusOr<bool> JournalCleaner::Move(uint64_t segment, const SegmentUse& use) {
  for (const auto& [log_id, log] : use) {
    if (IsDead(log_id, log)) continue;
    QUIPU_ASSIGN_OR_RETURN(const bool moved, MoveLog(segment, log_id, log));
    if (!moved) return false;
  }
  return true;
}

// What has changed since it was read may still lie there: what is left of a run has another key.
absl::StatusOr<bool> JournalCleaner::MoveLog(uint64_t segment, LogId log_id,
                                             const SegmentLogUse& use) {
  Moved moved = Moved::kNotAll;
  while (moved == Moved::kNotAll) {
    QUIPU_ASSIGN_OR_RETURN(moved, MoveWhatIsThere(segment, log_id, use));
  }
  return moved == Moved::kAll;
}

absl::StatusOr<JournalCleaner::Moved> JournalCleaner::MoveWhatIsThere(uint64_t segment,
                                                                      LogId log_id,
                                                                      const SegmentLogUse& use) {
  const std::optional<Offset> log_start = ports_.log_start(log_id);
  if (!log_start.has_value()) return Moved::kAll;
  const LogSource source{ports_.db->db(), ports_.db->family(kLog), *ports_.log};
  std::vector<Candidate> candidates;
  size_t bytes = 0;
  bool all = true;
  LogIterator it(source, log_id, std::max(use.first_offset, *log_start), Offset::Max(), nullptr);
  for (; it.Valid() && it.last_offset() <= use.last_offset; it.NextRun()) {
    if (canceled_.load()) return Moved::kCannot;
    const std::optional<BatchPointer> pointer = DecodeBatchPointer(it.value());
    if (pointer.has_value() && pointer->segment != segment) continue;
    Candidate candidate{.value = std::string(it.run_value()), .puts = {}};
    const Offset last = it.run_last_offset();
    while (true) {
      absl::StatusOr<StoredBatch> batch = it.Checked();
      if (!batch.ok()) {
        // It stays where it is, to be repaired or examined (D5).
        ports_.log->uses().AddUnknown(segment);
        return Moved::kCannot;
      }
      bytes += batch->bytes.size();
      candidate.puts.push_back(
          {.log_id = log_id, .batch = *std::move(batch), .follows = !candidate.puts.empty()});
      if (it.last_offset() == last) break;
      it.Next();
    }
    candidates.push_back(std::move(candidate));
    if (bytes < options_.move_bytes) continue;
    QUIPU_ASSIGN_OR_RETURN(const bool moved, MoveBatches(std::exchange(candidates, {})));
    all = all && moved;
    bytes = 0;
  }
  QUIPU_RETURN_IF_ERROR(it.status());
  QUIPU_ASSIGN_OR_RETURN(const bool moved, MoveBatches(candidates));
  return all && moved ? Moved::kAll : Moved::kNotAll;
}

// Between the read and this a batch may have been cut off, trimmed or repaired: then its key is
// gone, or has another value, and it is left alone.
absl::StatusOr<bool> JournalCleaner::MoveBatches(const std::vector<Candidate>& candidates) {
  if (candidates.empty()) return true;
  bool all = true;
  const std::lock_guard<std::mutex> lock(*ports_.places_mutex);
  QUIPU_RETURN_IF_ERROR(ports_.db->WriteBuilt(
      [&](rocksdb::WriteBatch& /*batch*/, std::vector<BatchPut>& puts) -> absl::Status {
        for (const Candidate& candidate : candidates) {
          const BatchPut& last = candidate.puts.back();
          const LogKey key = EncodeLogKey(last.log_id, last.batch.last_offset);
          QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> now,
                                 ports_.db->Get(ports_.db->family(kLog), key.view()));
          if (now != candidate.value) {
            all = false;
            continue;
          }
          for (const BatchPut& put : candidate.puts) {
            moved_bytes_ += put.batch.bytes.size();
            puts.push_back(put);
          }
        }
        return absl::OkStatus();
      }));
  return all;
}

}  // namespace quipu
