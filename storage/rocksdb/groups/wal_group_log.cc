#include "storage/rocksdb/groups/wal_group_log.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "core/record/record_batch.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// Where Kafka's batch header holds max_timestamp; see core/record/record_batch.h.
constexpr size_t kMaxTimestampAt = 35;

// Ends the replay behind a group: what follows it in the WAL is not its continuation.
class PrefixWalFilter final : public rocksdb::WalFilter {
 public:
  PrefixWalFilter(size_t family_count, uint64_t last_group)
      : family_count_(family_count), last_group_(last_group) {}
  WalProcessingOption LogRecordFound(unsigned long long /*log_number*/,
                                     const std::string& /*file_name*/,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* /*new_batch*/,
                                     bool* /*batch_changed*/) override {
    if (batch.Count() == 0) return WalProcessingOption::kContinueProcessing;  // RocksDB's own
    const std::optional<GroupRecord> group = ReadSealedGroup(batch.Data(), family_count_);
    return group.has_value() && group->number <= last_group_
               ? WalProcessingOption::kContinueProcessing
               : WalProcessingOption::kStopReplay;
  }
  [[nodiscard]] const char* Name() const override { return "quipu.prefix"; }

 private:
  const size_t family_count_;
  const uint64_t last_group_;
};

}  // namespace

TimestampMs MaxTimestampOfBatch(absl::string_view batch) {
  if (batch.size() < kRecordBatchHeaderBytes) return kNoTimestamp;  // damaged: found when read
  return TimestampMs(LoadBigEndian<int64_t>(batch.data() + kMaxTimestampAt));
}

absl::StatusOr<DatabaseProof> WalGroupLog::Prove(const std::string& path,
                                                 const std::vector<std::string>& families,
                                                 uint64_t watermark, rocksdb::Env& env) {
  return ProveDatabase(path, families, watermark, env);
}

void WalGroupLog::SetOptions(const DatabaseProof& proof, size_t family_count,
                             rocksdb::DBOptions& options) {
  replay_filter_ = std::make_unique<PrefixWalFilter>(family_count, proof.last.number);
  if (!proof.unproven.empty()) options.wal_filter = replay_filter_.get();
}

// What RocksDB has replayed by itself has been written to tables and synced.
absl::Status WalGroupLog::Replay(rocksdb::DB& db,
                                 const std::vector<rocksdb::ColumnFamilyHandle*>& families,
                                 const DatabaseProof& /*proof*/) {
  db_ = &db;
  families_ = families;
  return absl::OkStatus();
}

absl::StatusOr<GroupRecord> WalGroupLog::Write(rocksdb::WriteBatch& batch,
                                               const std::vector<BatchPut>& puts,
                                               const GroupRecord& previous) {
  rocksdb::Status status;
  for (const BatchPut& put : puts) {
    const StoredBatch& stored = put.batch;
    const LogKey key = EncodeLogKey(put.log_id, stored.last_offset);
    const FixedKey<4> checksum = EncodeBatchChecksum(stored.bytes.view());
    const rocksdb::Slice key_slice = ToSlice(key.view());
    const std::array<rocksdb::Slice, 2> value = {ToSlice(checksum.view()),
                                                 ToSlice(stored.bytes.view())};
    KeepFirst(status, batch.Put(families_[log_family_], rocksdb::SliceParts(&key_slice, 1),
                                rocksdb::SliceParts(value.data(), 2)));
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot put batches into a group"));
  const GroupRecord group = SealGroup(batch, previous, families_);
  status = db_->Write(SyncedWrite(), &batch);
  if (status.ok()) return group;
  return ToStatus(ErrorCode::kStorageError,
                  absl::StrCat("cannot write group ", group.number, " to ", db_->GetName(), ": ",
                               status.ToString()));
}

size_t InlineBatches::BytesOf(absl::string_view value) const {
  return value.size() - std::min(value.size(), kBatchChecksumBytes);
}

TimestampMs InlineBatches::MaxTimestampOf(absl::string_view value) const {
  value.remove_prefix(std::min(value.size(), kBatchChecksumBytes));
  return MaxTimestampOfBatch(value);
}

absl::StatusOr<Bytes> InlineBatches::Load(absl::string_view value, const BatchPin& /*pin*/) const {
  value.remove_prefix(std::min(value.size(), kBatchChecksumBytes));
  return Bytes::CopyOf(value);
}

bool InlineBatches::Matches(absl::string_view value, const Bytes& /*batch*/) const {
  return BatchChecksumMatches(value);
}

}  // namespace quipu
