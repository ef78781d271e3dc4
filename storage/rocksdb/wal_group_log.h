// log.store=rocksdb: groups in RocksDB's own log, batches in its values.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rocksdb/wal_filter.h"
#include "storage/rocksdb/group_log.h"

namespace quipu {

class WalGroupLog final : public GroupLog {
 public:
  // `log_family`: the index of the family that batches are put into.
  explicit WalGroupLog(size_t log_family = 0) : log_family_(log_family) {}
  absl::StatusOr<DatabaseProof> Prove(const std::string& path,
                                      const std::vector<std::string>& families, uint64_t watermark,
                                      rocksdb::Env& env) override;
  void SetOptions(const DatabaseProof& proof, size_t family_count,
                  rocksdb::DBOptions& options) override;
  absl::Status Replay(rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families,
                      const DatabaseProof& proof) override;
  absl::StatusOr<GroupRecord> Write(rocksdb::WriteBatch& batch, const std::vector<BatchPut>& puts,
                                    const GroupRecord& previous) override;

 private:
  const size_t log_family_;
  std::unique_ptr<rocksdb::WalFilter> replay_filter_;  // must outlive db_'s opening
  rocksdb::DB* db_ = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

// A value is a checksum and the batch.
class InlineBatches final : public BatchPlace {
 public:
  [[nodiscard]] BatchPin Pin() const override { return nullptr; }
  [[nodiscard]] size_t BytesOf(absl::string_view value) const override;
  [[nodiscard]] TimestampMs MaxTimestampOf(absl::string_view value) const override;
  [[nodiscard]] absl::StatusOr<Bytes> Load(absl::string_view value,
                                           const BatchPin& pin) const override;
  [[nodiscard]] bool Matches(absl::string_view value, const Bytes& batch) const override;
};

// Where Kafka's batch header says the largest time of its records; kNoTimestamp: too short.
TimestampMs MaxTimestampOfBatch(absl::string_view batch);

}  // namespace quipu
