// The reference: what a LogStore means, in the plainest form.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/log_store.h"

namespace quipu {

// A LogStore in memory: the base of the simulated disk and the yardstick of the conformance suite.
// Everything in it is "durable": whoever simulates a disk decides when Write is called, and a crash
// is simply what was not yet written. A copy is a snapshot of the whole disk; batches are shared,
// never copied. Deterministic. One thread at a time, reads included.
class MemoryLogStore : public LogStore {
 public:
  MemoryLogStore() = default;
  MemoryLogStore(const MemoryLogStore&) = default;
  MemoryLogStore& operator=(const MemoryLogStore&) = default;

  absl::Status Write(const std::vector<LogWrite>& group) override;
  absl::StatusOr<LogId> CreateLog(PartitionUid uid) override;
  absl::Status DropLog(PartitionUid uid) override;

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

  // ---- for whoever simulates a disk that does not keep what it was given ----
  // What lies on the disk, by last offset. The log must be there.
  [[nodiscard]] const std::map<Offset, StoredBatch>& StoredBatches(LogId log_id) const {
    return logs_.at(log_id).batches;
  }
  // Puts other bytes under a key that is there.
  void Overwrite(LogId log_id, Offset last_offset, Bytes bytes) {
    logs_.at(log_id).batches.at(last_offset).bytes = std::move(bytes);
  }

 private:
  using Batches = std::map<Offset, StoredBatch>;
  struct Log {
    PartitionUid uid;
    PartitionState state;
    std::vector<EpochEntry> epochs;
    Batches batches;                               // by last offset
    std::map<Offset, ProducerSnapshot> snapshots;  // by as-of offset; the newest few
    [[nodiscard]] Offset log_end() const;
  };

  static void Apply(Log& log, const LogMutation& mutation);
  [[nodiscard]] static DamagedBatch PlaceOf(const Log& log, Batches::const_iterator batch);
  [[nodiscard]] static absl::StatusOr<StoredBatch> Checked(LogId log_id, const Log& log,
                                                           Batches::const_iterator batch);
  [[nodiscard]] absl::StatusOr<const Log*> Find(LogId log_id) const;

  std::map<LogId, Log> logs_;
  std::map<PartitionUid, LogId> by_uid_;
  std::map<std::string, std::string> values_;
  LogId next_log_id_{1};
};

}  // namespace quipu
