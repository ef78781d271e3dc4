// All logs of a broker in one RocksDB.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "storage/log_store.h"
#include "storage/rocksdb/journal/journal_cleaner.h"
#include "storage/rocksdb/journal/journal_log.h"
#include "storage/rocksdb/log_families.h"
#include "storage/rocksdb/proven_db.h"
#include "storage/rocksdb/rocksdb_log_iterator.h"
#include "storage/rocksdb/trim_table.h"
#include "storage/rocksdb/trimmer.h"

namespace quipu {

// A LogStore on RocksDB: the batches in blob files, their keys, the epochs, states and snapshots in
// column families, all under one WAL (storage/key_encoding.h has every byte). One mutation, however
// many parts it has, is one atomic write.
//
// The write functions belong to one thread (WalWriter's); PutValue may come from any. Reads come
// from any thread at the same time.
class RocksdbLogStore final : public LogStore {
 public:
  struct Options {
    std::string path;      // of the database
    std::string identity;  // see ProvenDb
    FatalHandler fatal;    // after a failed write, sync or compaction (D3)
    Trimmer::Options trimmer;
    bool keep_prefix = false;  // see ProvenDb
    // Groups and batches lie in a journal there; nullopt: in RocksDB.
    std::optional<JournalLog::Options> journal = std::nullopt;
    JournalCleaner::Options cleaner = {};
    rocksdb::Env* env = rocksdb::Env::Default();  // see ProvenDb
  };

  // Errors of ProvenDb::Open, and kCorruptMessage when a small value is damaged. `watermark` must
  // outlive the store.
  static absl::StatusOr<std::unique_ptr<RocksdbLogStore>> Open(Options options,
                                                               WatermarkFile& watermark);
  // Names of the column families, as ProveDatabase wants them.
  static std::vector<std::string> FamilyNames();
  ~RocksdbLogStore() override;

  absl::Status Write(const std::vector<LogWrite>& group) override;
  absl::Status AfterWrite() override { return db_->AfterWrite(); }
  absl::StatusOr<LogId> CreateLog(PartitionUid uid) override;
  absl::StatusOr<std::vector<LogId>> CreateLogs(const std::vector<PartitionUid>& uids) override;
  absl::Status DropLog(PartitionUid uid) override { return DropLogs({uid}); }
  absl::Status DropLogs(const std::vector<PartitionUid>& uids) override;

  [[nodiscard]] std::vector<KnownLog> Logs() const override;
  [[nodiscard]] std::optional<LogId> FindLog(PartitionUid uid) const override;
  absl::StatusOr<RecoveredLog> Recover(LogId log_id) const override;
  absl::StatusOr<std::vector<StoredBatch>> Read(LogId log_id, Offset from, Offset end,
                                                size_t bytes_max) const override;
  absl::StatusOr<std::optional<StoredBatch>> FindByTimestamp(LogId log_id,
                                                             TimestampMs timestamp) const override;
  absl::StatusOr<std::optional<StoredBatch>> FindLargestTimestamp(LogId log_id,
                                                                  Offset from) const override;
  absl::StatusOr<Offset> OffsetForSize(LogId log_id, int64_t bytes_max) const override;
  void PublishTrim(LogId log_id, Offset log_start) override;
  [[nodiscard]] int64_t ApproximateBytes(LogId log_id) const override;
  absl::Status PutValue(const std::string& name, const std::string& value) override;
  absl::StatusOr<std::optional<std::string>> GetValue(const std::string& name) const override;

  // Writes memory tables out. Any thread.
  absl::Status Flush();
  // For tests: waits until trimmed space was given back.
  void WaitForTrimmer() {
    trimmer_->WaitUntilIdle();
    if (cleaner_ != nullptr) cleaner_->WaitUntilIdle();
  }
  // There must be a journal. Any thread.
  [[nodiscard]] JournalStats GetJournalStats() const;

 private:
  // A log gets one entry of the time index per so many bytes.
  static constexpr int64_t kTimeIndexBytes = int64_t{64} * 1024;

  // What readers may see of a log: durable facts.
  struct Log {
    PartitionUid uid;
    PartitionState state;
    std::vector<EpochEntry> epochs;
  };
  // What the writer knows of a log's end while it appends.
  struct Tail {
    Offset log_end{0};
    TimestampMs running_max;     // of all batches
    int64_t bytes = 0;           // of all batches ever
    int64_t bytes_at_index = 0;  // of these, up to the newest entry of the time index
  };
  struct WriterLog {
    std::optional<Tail> tail;       // filled at the first append
    std::vector<Offset> snapshots;  // as-of offsets of stored producer snapshots, ascending
  };
  // Changes of one log that this group makes, for `logs_` after the sync.
  struct Change {
    std::optional<PartitionState> state;
    const std::vector<EpochEntry>* epochs = nullptr;
    bool put = false;       // a batch, or what is left of a run
    bool appended = false;  // the last put is a batch behind all others
    bool truncated = false;
  };
  // One group under construction.
  struct Group {
    rocksdb::WriteBatch& batch;
    std::vector<BatchPut> puts;  // behind all of `batch`
    absl::btree_map<LogId, Change> changes;
  };

  RocksdbLogStore() = default;
  absl::Status Load();
  absl::Status LoadMeta(TrimView& view, std::vector<LogId>& dropped);
  void StartTrimmer(const Options& options);
  absl::Status ForgetDropped(LogId log_id);
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(LogFamily family) const {
    return db_->family(family);
  }

  [[nodiscard]] LogSource source() const { return {db_->db(), family(kLog), *place_}; }

  // ---- rocksdb_log_write.cc ----
  absl::Status AddMutation(const LogWrite& write, Group& group);
  absl::Status AddTruncation(LogId log_id, Offset log_end, Change& change, Group& group);
  absl::Status AddRepairs(const LogWrite& write, Group& group);
  absl::Status AddAppends(const LogWrite& write, Group& group);
  absl::Status AddEpochs(const LogWrite& write, Change& change, Group& group);
  absl::Status AddProducers(LogId log_id, const ProducerSnapshot& snapshot, Group& group);
  absl::Status CommitGroup(Group& group);
  absl::Status DeleteFrom(LogId log_id, Offset log_end, Change& change, rocksdb::WriteBatch& batch);
  // Gives each batch of the run a key of its own.
  absl::Status TakeApart(LogId log_id, absl::Span<const RunBatch> run, rocksdb::WriteBatch& batch);
  [[nodiscard]] Offset LogStartIn(LogId log_id, const Group& group) const;

  // ---- rocksdb_log_read.cc ----
  [[nodiscard]] absl::StatusOr<Offset> LogStart(LogId log_id) const;
  // Ignores everything that ends at or above `below`.
  [[nodiscard]] absl::StatusOr<Tail> ReadTail(LogId log_id, Offset log_start, Offset below,
                                              const ScopedSnapshot* snapshot) const;
  [[nodiscard]] absl::StatusOr<std::optional<ProducerSnapshot>> NewestSnapshot(
      LogId log_id, Offset log_end) const;
  [[nodiscard]] int64_t ReclaimableBytes(LogId log_id) const;

  std::shared_ptr<TrimTable> trim_table_;
  std::unique_ptr<ProvenDb> db_;
  std::shared_ptr<const BatchPlace> place_;
  std::shared_ptr<JournalLog> journal_;  // null: there is none

  // Writer's thread only.
  absl::flat_hash_map<LogId, WriterLog> writer_logs_;
  rocksdb::WriteBatch batch_;  // kept for its memory
  LogId next_log_id_{1};

  mutable std::mutex mutex_;
  absl::flat_hash_map<LogId, Log> logs_;  // under mutex_; only the writer's thread changes it
  absl::btree_map<PartitionUid, LogId> by_uid_;  // the same

  // Held while places of batches are read and written again: by the writer for what it leaves of a
  // run; by the cleaner, to compare what it has read and to move it. Taken before the lock of db_.
  std::mutex places_mutex_;

  // Last: they end before the database closes.
  std::unique_ptr<JournalCleaner> cleaner_;  // null: there is no journal
  std::unique_ptr<Trimmer> trimmer_;
};

}  // namespace quipu
