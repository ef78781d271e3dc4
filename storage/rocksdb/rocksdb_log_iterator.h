// Walks the stored batches of one log.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"
#include "rocksdb/db.h"
#include "storage/key_encoding.h"

namespace quipu {

// A snapshot of the database for the length of a scope.
class ScopedSnapshot {
 public:
  explicit ScopedSnapshot(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~ScopedSnapshot() { db_.ReleaseSnapshot(snapshot_); }
  ScopedSnapshot(const ScopedSnapshot&) = delete;
  ScopedSnapshot& operator=(const ScopedSnapshot&) = delete;
  [[nodiscard]] const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* snapshot_;
};

// Batches of a log in offset order, with last offsets in [from, end). Stands on the first one, or
// behind all. One thread. Read-ahead is left to the kernel: values lie in blob files, each read by
// one pread of its own, and RocksDB's own read-ahead covers tables only.
class LogIterator {
 public:
  // `snapshot` nullptr: as of now.
  LogIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* log_family, LogId log_id, Offset from,
              Offset end, const rocksdb::Snapshot* snapshot);

  // False behind the last batch and after an error; ask status().
  [[nodiscard]] bool Valid() const { return iterator_->Valid(); }
  void Next() { iterator_->Next(); }
  // Goes to the last batch instead.
  void SeekToLast() { iterator_->SeekToLast(); }
  [[nodiscard]] Offset last_offset() const;
  // Of the batch, without our checksum.
  [[nodiscard]] size_t batch_bytes() const;
  // A view of the batch, unchecked; until Next.
  [[nodiscard]] absl::string_view batch() const;
  // A checked copy of the batch: kCorruptMessage, naming log and offset (D5).
  [[nodiscard]] absl::StatusOr<StoredBatch> Checked() const;
  // kCorruptMessage or kStorageError when the walk ended early.
  [[nodiscard]] absl::Status status() const;

 private:
  const LogId log_id_;
  const LogKey from_;
  const LogKey end_;
  const rocksdb::Slice from_slice_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
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
