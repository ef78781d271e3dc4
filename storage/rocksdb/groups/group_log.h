// The seam between the two ways to store (log.store): how a group of changes becomes durable, and
// where its batches lie.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"
#include "rocksdb/db.h"
#include "storage/rocksdb/group_chain.h"
#include "storage/rocksdb/log_proof.h"

namespace quipu {

// A batch for the family `log`.
struct BatchPut {
  LogId log_id;
  StoredBatch batch;
  // It follows the put before it of the same log, and no other key of that log lies between: both
  // may be put under one.
  bool follows = false;
};

// Makes the groups of one database durable, and shows at open that none is missing (D1 to D4).
// Every error of a write is final.
class GroupLog {
 public:
  virtual ~GroupLog() = default;
  // What is there, without changing it. `families`: all names, "default" first.
  virtual absl::StatusOr<DatabaseProof> Prove(const std::string& path,
                                              const std::vector<std::string>& families,
                                              uint64_t watermark, rocksdb::Env& env) = 0;
  // How the database is to be opened so that it holds the groups up to `proof.last`.
  virtual void SetOptions(const DatabaseProof& proof, size_t family_count,
                          rocksdb::DBOptions& options) = 0;
  // Brings the database, just opened, up to `proof.last`, and gives up what is behind it. From then
  // on everything that it holds is durable.
  virtual absl::Status Replay(rocksdb::DB& db,
                              const std::vector<rocksdb::ColumnFamilyHandle*>& families,
                              const DatabaseProof& proof) = 0;
  // Adds the batches to `batch`, behind everything that is there, seals it as the group that
  // follows `previous`, makes it durable and then visible.
  virtual absl::StatusOr<GroupRecord> Write(rocksdb::WriteBatch& batch,
                                            const std::vector<BatchPut>& puts,
                                            const GroupRecord& previous) = 0;
  // What the watermark file must hold before `group`, the last written or the next one, counts as
  // synced: no more than the group before.
  [[nodiscard]] virtual uint64_t WatermarkNeeded(uint64_t group) const { return group - 1; }
  // There may be time before the next Write, and nobody waits for the last one any more.
  virtual absl::Status AfterWrite() { return absl::OkStatus(); }
};

// What keeps the batches reachable that a snapshot of the database shows.
using BatchPin = std::shared_ptr<const void>;

// Where the batches are that the values of the family `log` stand for. Any thread.
class BatchPlace {
 public:
  virtual ~BatchPlace() = default;
  // Equal pins before and after a snapshot was taken: the pin keeps what that shows.
  [[nodiscard]] virtual BatchPin Pin() const = 0;
  // Whether a key may stand for several batches (batch_run.h). The values of all other functions
  // are those of one batch: EncodeBatchPointer then.
  [[nodiscard]] virtual bool HoldsRuns() const { return false; }
  // Size and largest time of the batch, without reading it where that can be avoided; 0 and
  // kNoTimestamp when the value is damaged.
  [[nodiscard]] virtual size_t BytesOf(absl::string_view value) const = 0;
  [[nodiscard]] virtual TimestampMs MaxTimestampOf(absl::string_view value) const = 0;
  // The batch as it is stored, unchecked.
  [[nodiscard]] virtual absl::StatusOr<Bytes> Load(absl::string_view value,
                                                   const BatchPin& pin) const = 0;
  // Whether nothing has to be read for this batch.
  [[nodiscard]] virtual bool IsInMemory(absl::string_view /*value*/) const { return true; }
  // A hint that these batches will be loaded, in this order, those from `later` on not at once.
  // When the first can be had without the disk, an earlier hint was most likely for all before
  // `later`: they are left out.
  virtual void WillLoad(const std::vector<std::string>& /*values*/, size_t /*later*/,
                        const BatchPin& /*pin*/) const {}
  // Whether the part of a batch that its own CRC does not cover is what was put.
  [[nodiscard]] virtual bool Matches(absl::string_view value, const Bytes& batch) const = 0;
};

}  // namespace quipu
