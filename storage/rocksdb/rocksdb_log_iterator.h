// Walks the stored batches of one log.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"
#include "rocksdb/db.h"
#include "storage/batch_run.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/groups/group_log.h"

namespace quipu {

// A snapshot of the database, and of the batches that it shows, for the length of a scope.
class ScopedSnapshot {
 public:
  ScopedSnapshot(rocksdb::DB& db, const BatchPlace& place);
  ~ScopedSnapshot() { db_.ReleaseSnapshot(snapshot_); }
  ScopedSnapshot(const ScopedSnapshot&) = delete;
  ScopedSnapshot& operator=(const ScopedSnapshot&) = delete;
  [[nodiscard]] const rocksdb::Snapshot* get() const { return snapshot_; }
  [[nodiscard]] const BatchPin& pin() const { return pin_; }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* snapshot_;
  BatchPin pin_;
};

// What a read needs: the database, its family `log`, and where that family's batches are.
struct LogSource {
  rocksdb::DB& db;
  rocksdb::ColumnFamilyHandle* family;
  const BatchPlace& place;
};

// A rocksdb iterator over the keys of one log with last offsets in [from, end).
class LogRange {
 public:
  LogRange(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, LogId log_id, Offset from,
           Offset end, const rocksdb::Snapshot* snapshot);
  LogRange(const LogRange&) = delete;
  LogRange& operator=(const LogRange&) = delete;
  [[nodiscard]] rocksdb::Iterator& iterator() const { return *iterator_; }
  void SeekTo(Offset from);

 private:
  const LogId log_id_;
  const LogKey from_;
  const LogKey end_;
  const rocksdb::Slice from_slice_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

// Batches of a log in offset order, with last offsets in [from, end). Stands on the first one, or
// behind all. One thread. Batches lie in blob files or in the journal, each read by one pread of
// its own, and RocksDB's own read-ahead covers tables only: whoever reads many says so
// (BeginReads).
//
// A key may stand for several batches, one behind another (batch_run.h): they are walked like those
// with keys of their own. A run whose value is damaged is one damaged batch.
//
// A value that the database itself cannot read (its blob fails RocksDB's checksum, the file is too
// short, the disk reports an error) ends a rocksdb::Iterator without telling the key. The key is
// still there: this iterator finds it by halving the range in which a seek fails, stands on it like
// on any other, and goes on behind it. Only damage of the keys themselves ends the walk. A disk
// that reads well one time and badly the next misleads nobody: an answer counts only when the keys
// of the range were read, and their checksums match.
class LogIterator {
 public:
  // `snapshot` nullptr: as of now.
  LogIterator(const LogSource& source, LogId log_id, Offset from, Offset end,
              const ScopedSnapshot* snapshot);

  // False behind the last batch and after an error; ask status().
  [[nodiscard]] bool Valid() const {
    return unreadable_.has_value() ||
           (range_.iterator().Valid() && (!source_.place.HoldsRuns() || last_offset() < end_));
  }
  void Next();
  // Goes to the last batch instead.
  void SeekToLast();
  [[nodiscard]] Offset last_offset() const;

  // The batches of the key that this one lies under, those outside [from, end) too, and which of
  // them this one is. Empty: this one alone, or the key's value is damaged.
  [[nodiscard]] absl::Span<const RunBatch> run() const { return run_; }
  [[nodiscard]] size_t place_in_run() const { return at_; }
  // Last offset and value of that key. The value: until Next; empty when it cannot be read.
  [[nodiscard]] Offset run_last_offset() const {
    return run_.empty() ? last_offset() : run_.back().last_offset;
  }
  [[nodiscard]] absl::string_view run_value() const;
  // To the first batch of the next key.
  void NextRun();

  // Size and largest time of the batch, unchecked; 0 and kNoTimestamp when it cannot be read.
  [[nodiscard]] size_t batch_bytes() const;
  [[nodiscard]] TimestampMs max_timestamp() const;
  // A copy of the batch, unchecked. Empty when it cannot be read.
  [[nodiscard]] Bytes Unchecked() const;
  // What stands for the batch (BatchPlace); until Next. Empty when it cannot be read.
  [[nodiscard]] absl::string_view value() const;
  // A checked copy of the batch: kCorruptMessage, naming log and offset (D5) and with its place.
  [[nodiscard]] absl::StatusOr<StoredBatch> Checked() const;
  // Up to `bytes` of batches from this one on will be read, and most likely as many behind them:
  // where reads wait for the disk, they are all begun now.
  void BeginReads(size_t bytes) const;
  // Where this batch lies, by the keys alone.
  [[nodiscard]] DamagedBatch Place() const;
  // kCorruptMessage or kStorageError when the walk ended early.
  [[nodiscard]] absl::Status status() const;

 private:
  // The database's iterator has moved: to the first batch there that is not before `from`.
  void OpenRun();
  void GoTo(size_t place_in_run);
  void SeekToLastOfRuns();
  // The seek to `at` ended without a batch: finds the one that cannot be read.
  void FindUnreadable(Offset at);
  void FindUnreadableLast();
  // What a seek to the first or last batch of [from, end) meets.
  enum class Which { kFirst, kLast };
  struct Answer {
    enum Kind {
      kNone,        // no batch
      kBatch,       // this one, and its value can be read
      kUnreadable,  // one whose value cannot
      kFailed,      // the keys cannot be read
    } kind;
    Offset last_offset = kNoOffset;  // of kBatch
  };
  [[nodiscard]] Answer Ask(Offset from, Offset end, Which which) const;
  [[nodiscard]] bool Failed() const;

  const LogSource source_;
  const LogId log_id_;
  const Offset from_;
  const Offset end_;
  const std::optional<ScopedSnapshot> own_snapshot_;
  const ScopedSnapshot& snapshot_;
  LogRange range_;
  BatchRun run_;                      // of the key, when it holds several
  size_t at_ = 0;                     // in run_
  std::string value_;                 // of run_[at_]
  std::optional<Offset> unreadable_;  // stands on this batch, whose value cannot be read
  rocksdb::Status why_unreadable_;
};

// Entries of a log's time index. Stands nowhere until a Seek.
class TimeIndexIterator {
 public:
  TimeIndexIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, LogId log_id,
                    const rocksdb::Snapshot* snapshot);
  [[nodiscard]] bool Valid() const { return iterator_->Valid(); }
  void SeekToFirst() { iterator_->SeekToFirst(); }
  void SeekToLast() { iterator_->SeekToLast(); }
  // The first entry whose running maximum is >= `timestamp`.
  void Seek(TimestampMs timestamp);
  void Next() { iterator_->Next(); }
  void Prev() { iterator_->Prev(); }
  [[nodiscard]] TimeIndexEntry entry() const;
  // Bytes of the log up to and with this entry's batch.
  [[nodiscard]] int64_t bytes() const;
  [[nodiscard]] absl::Status status() const;

 private:
  const LogId log_id_;
  const FixedKey<8> from_;
  const FixedKey<8> end_;
  const rocksdb::Slice from_slice_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace quipu
