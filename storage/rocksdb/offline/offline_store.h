// A stopped node's data directory, looked at without changing anything in it.
//
// The directory's lock is held meanwhile, so that no process can be started on what is being read;
// that changes no file. RocksDB is opened for reading alone: it replays the WAL in memory, and what
// a journal holds beyond the tables is laid over it (OverlaidDb).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/raft/raft_types.h"
#include "core/replication/partition_types.h"
#include "storage/data_directory.h"
#include "storage/file_watermark.h"
#include "storage/journal/journal.h"

namespace quipu {

// What is true of every directory.
struct OfflineDirectory {
  DirectoryIdentity identity;
  std::optional<FileWatermark::Content> watermark;
  std::string watermark_damage;  // why there is none
  uint64_t last_group = 0;       // up to which the log is there without a gap
  std::string unproven;          // why the log is not known to be complete; empty: it is
};

struct OfflineLog {
  PartitionUid uid;
  LogId log_id;
  PartitionState state;
  Offset log_end_offset{0};
  std::vector<EpochEntry> epochs{};
  std::optional<ProducerSnapshot> snapshot{};  // the newest that is stored
};

// A batch as it is stored. Everything but the offsets comes from its header, and is absent when
// that cannot be read.
struct OfflineBatch {
  DamagedBatch place;                     // by the keys alone
  std::optional<RecordBatchView> header;  // nullopt: it cannot be read
  std::string damage;                     // empty: all checksums match
};

struct OfflineRaft {
  RaftHardState hard_state;
  std::optional<RaftSnapshot> snapshot;
  std::vector<message::RaftEntry> entries;  // those that can be read
  std::vector<std::string> damage;          // what cannot
};

// One thread.
class OfflineStore {
 public:
  // kResourceNotFound: no data directory; kUnsupportedVersion; kStorageError: damaged identity, in
  // use by a process, or not readable.
  static absl::StatusOr<std::unique_ptr<OfflineStore>> Open(const std::string& path);
  ~OfflineStore();
  OfflineStore(const OfflineStore&) = delete;
  OfflineStore& operator=(const OfflineStore&) = delete;

  [[nodiscard]] const OfflineDirectory& directory() const { return directory_; }

  // A broker's partitions, by uid. kStorageError: the database does not open; kCorruptMessage: a
  // small value is damaged.
  absl::StatusOr<std::vector<OfflineLog>> Logs();
  // Calls `see` for each batch of the log that ends at or after `from` and begins before `end`,
  // until it returns false.
  absl::Status EachBatch(LogId log_id, Offset from, Offset end,
                         const std::function<bool(const OfflineBatch&)>& see);
  // A controller's Raft state. Errors as Logs.
  absl::StatusOr<OfflineRaft> Raft();

 private:
  class Database;
  OfflineStore();
  absl::Status LockDirectory(const std::string& path);
  absl::Status Prove();
  // nullopt: the directory has no journal.
  [[nodiscard]] std::optional<Journal::Options> JournalOptions() const;
  absl::StatusOr<Database*> OpenDatabase();

  std::string path_;
  int lock_ = -1;
  OfflineDirectory directory_;
  std::unique_ptr<Database> database_;
};

}  // namespace quipu
