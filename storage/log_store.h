// A durable log per replica: the seam between what a broker decides and where bytes live.
//
// Every implementation passes tests/conformance. Writes come from one thread (WalWriter or the
// simulated disk); reads may come from any thread at the same time and see only what a returned
// Write has made durable.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"

namespace quipu {

// One mutation for one log.
struct LogWrite {
  LogId log_id;
  LogMutation mutation;
};

// A replica that the directory knows.
struct KnownLog {
  PartitionUid uid;
  LogId log_id;
};

class LogStore {
 public:
  virtual ~LogStore() = default;

  // ---- writes: one thread ----
  // Applies the mutations in order and returns once all are durable (D1). Each mutation is atomic;
  // after a crash before the return, the first few of the group may be there. Any error is final:
  // the process must stop (D3).
  virtual absl::Status Write(const std::vector<LogWrite>& group) = 0;
  // Called when everybody was told of the last Write, and there may be time before the next one.
  // Any error is final.
  virtual absl::Status AfterWrite() { return absl::OkStatus(); }
  // The log of `uid`, made (durably) if there is none. A dropped log's id is never used again.
  virtual absl::StatusOr<LogId> CreateLog(PartitionUid uid) = 0;
  // The same for many at once, with one sync where the store can. Ids in the order of `uids`.
  virtual absl::StatusOr<std::vector<LogId>> CreateLogs(const std::vector<PartitionUid>& uids) {
    std::vector<LogId> ids;
    for (const PartitionUid uid : uids) {
      const absl::StatusOr<LogId> id = CreateLog(uid);
      if (!id.ok()) return id.status();
      ids.push_back(*id);
    }
    return ids;
  }
  // Forgets the log durably; its space is given back later.
  virtual absl::Status DropLog(PartitionUid uid) = 0;
  // The same for many at once, with one sync where the store can.
  virtual absl::Status DropLogs(const std::vector<PartitionUid>& uids) {
    for (const PartitionUid uid : uids) {
      if (const absl::Status dropped = DropLog(uid); !dropped.ok()) return dropped;
    }
    return absl::OkStatus();
  }

  // ---- reads: any thread ----
  [[nodiscard]] virtual std::vector<KnownLog> Logs() const = 0;
  [[nodiscard]] virtual std::optional<LogId> FindLog(PartitionUid uid) const = 0;
  // State, epochs, log end and producer state (newest snapshot at or below the end plus the headers
  // behind it). A damaged batch among those that it has to read is named, never skipped (D5): see
  // RecoveredLog::damaged. kCorruptMessage when something else is damaged.
  virtual absl::StatusOr<RecoveredLog> Recover(LogId log_id) const = 0;
  // Whole batches from the one that contains `from` (or the next one, offsets are not dense) up to
  // `end` exclusive: a batch that reaches beyond `end` is not returned. At least one batch when
  // there is one, then as many as fit `bytes_max`. Checks each CRC; kCorruptMessage names log and
  // offset, and carries the batch's place (DamagedPlaceOf) where the log shows it; nothing after
  // the bad batch is returned with it.
  virtual absl::StatusOr<std::vector<StoredBatch>> Read(LogId log_id, Offset from, Offset end,
                                                        size_t bytes_max) const = 0;
  // First batch whose max timestamp is >= `timestamp`, at or after the log start: where to look for
  // the first record of that time. nullopt: none.
  virtual absl::StatusOr<std::optional<StoredBatch>> FindByTimestamp(
      LogId log_id, TimestampMs timestamp) const = 0;
  // First batch with the largest max timestamp of all at or after `from` and the log start.
  // nullopt: there is none with a timestamp. A few reads, unless a batch before them has a larger
  // one: then the whole log.
  virtual absl::StatusOr<std::optional<StoredBatch>> FindLargestTimestamp(LogId log_id,
                                                                          Offset from) const = 0;
  // Lowest offset to keep so that the log holds at most `bytes_max` bytes; whole batches.
  virtual absl::StatusOr<Offset> OffsetForSize(LogId log_id, int64_t bytes_max) const = 0;

  // ---- space ----
  // The log start of this log is durable at `log_start`: batches below may be removed from disk.
  virtual void PublishTrim(LogId log_id, Offset log_start) = 0;
  // Payload bytes in use by a log, approximately.
  [[nodiscard]] virtual int64_t ApproximateBytes(LogId log_id) const = 0;

  // ---- small durable values of the directory (newest metadata index applied, ...) ----
  virtual absl::Status PutValue(const std::string& name, const std::string& value) = 0;
  virtual absl::StatusOr<std::optional<std::string>> GetValue(const std::string& name) const = 0;
};

}  // namespace quipu
