#include "storage/rocksdb/proven_db.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/log_proof.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {

namespace {

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

absl::StatusOr<std::unique_ptr<ProvenDb>> ProvenDb::Open(Options options,
                                                         WatermarkFile& watermark) {
  std::vector<std::string> names;
  for (const rocksdb::ColumnFamilyDescriptor& family : options.families) {
    names.push_back(family.name);
  }
  auto db = std::unique_ptr<ProvenDb>(new ProvenDb());
  db->env_ = std::make_unique<ManifestEnv>(*options.env);
  QUIPU_ASSIGN_OR_RETURN(const DatabaseProof proof,
                         ProveDatabase(options.path, names, watermark.last_group(), *db->env_));
  if (!proof.unproven.empty() && !(options.keep_prefix && proof.is_prefix)) {
    return UnprovenError(options.path, proof.unproven);
  }
  rocksdb::DBOptions db_options = DatabaseOptions();
  db_options.env = db->env_.get();
  db->replay_filter_ = std::make_unique<PrefixWalFilter>(names.size(), proof.last.number);
  if (!proof.unproven.empty()) db_options.wal_filter = db->replay_filter_.get();
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(db_options, options.path, options.families, &db->handles_, &raw);
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, absl::StrCat("cannot open database ", options.path)));
  db->db_.reset(raw);

  const auto key = EncodeSingleKey(KeyPrefix::kGroup);
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         db->Get(db->handles_[0], key.view()));
  if (value.has_value()) db->last_ = DecodeGroupRecord(*value).value_or(GroupRecord{});
  if (db->last_.number != proof.last.number || db->last_.chain != proof.last.chain) {
    return UnprovenError(options.path, absl::StrCat("it opened at group ", db->last_.number,
                                                    ", proven was group ", proof.last.number));
  }
  // What was replayed has been written to tables and synced.
  QUIPU_RETURN_IF_ERROR(watermark.StoreLastGroup(db->last_.number));
  db->watermark_writer_ =
      std::make_unique<WatermarkWriter>(watermark, proof.last.number, options.fatal);
  QUIPU_RETURN_IF_ERROR(db->CheckIdentity(options));
  db->env_->ForgetManifests();
  return db;
}

ProvenDb::~ProvenDb() {
  watermark_writer_.reset();
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    // Fails for a null handle only.
    db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
}

absl::Status ProvenDb::CheckIdentity(const Options& options) {
  const auto key = EncodeSingleKey(KeyPrefix::kIdentity);
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> value, Get(handles_[0], key.view()));
  if (value.has_value()) {
    const std::optional<std::string> found = DecodeText(*value);
    if (found == options.identity) return absl::OkStatus();
    return ToStatus(ErrorCode::kInvalidConfig,
                    absl::StrCat("database ", options.path, " belongs to ",
                                 found.value_or("an unreadable identity"), ", not to ",
                                 options.identity, "; put back the directory's own database"));
  }
  if (last_.number > 0) return UnprovenError(options.path, "its identity is missing");
  rocksdb::WriteBatch batch;
  const rocksdb::Status status =
      batch.Put(handles_[0], ToSlice(key.view()), EncodeText(options.identity));
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot write the identity"));
  return Write(batch);
}

absl::Status ProvenDb::Write(rocksdb::WriteBatch& batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  QUIPU_RETURN_IF_ERROR(failed_);
  const GroupRecord group = SealGroup(batch, last_, handles_);
  watermark_writer_->OnGroupBegins();
  const rocksdb::Status status = db_->Write(SyncedWrite(), &batch);
  if (!status.ok()) {
    failed_ =
        ToStatus(ErrorCode::kStorageError, absl::StrCat("cannot write group ", group.number, " to ",
                                                        db_->GetName(), ": ", status.ToString()));
    return failed_;
  }
  last_ = group;
  if (!watermark_writer_->OnGroupSynced(group.number)) {
    failed_ = ToStatus(ErrorCode::kStorageError, "the watermark file could not be written");
  }
  return failed_;
}

absl::StatusOr<std::optional<std::string>> ProvenDb::Get(rocksdb::ColumnFamilyHandle* family,
                                                         absl::string_view key) const {
  std::string value;
  const rocksdb::Status status = db_->Get(CheckedRead(), family, ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, absl::StrCat("cannot read from ", db_->GetName())));
  return std::optional<std::string>(std::move(value));
}

}  // namespace quipu
