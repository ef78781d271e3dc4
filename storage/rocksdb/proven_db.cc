#include "storage/rocksdb/proven_db.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/groups/wal_group_log.h"
#include "storage/rocksdb/log_proof.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {

absl::StatusOr<std::unique_ptr<ProvenDb>> ProvenDb::Open(Options options,
                                                         WatermarkFile& watermark) {
  std::vector<std::string> names;
  for (const rocksdb::ColumnFamilyDescriptor& family : options.families) {
    names.push_back(family.name);
  }
  auto db = std::unique_ptr<ProvenDb>(new ProvenDb());
  db->env_ = std::make_unique<ManifestEnv>(*options.env);
  db->log_ = options.log != nullptr ? std::move(options.log) : std::make_shared<WalGroupLog>();
  QUIPU_ASSIGN_OR_RETURN(const DatabaseProof proof,
                         db->log_->Prove(options.path, names, watermark.last_group(), *db->env_));
  if (!proof.unproven.empty() && !(options.keep_prefix && proof.is_prefix)) {
    return UnprovenError(options.path, proof.unproven);
  }
  rocksdb::DBOptions db_options = DatabaseOptions();
  db_options.env = db->env_.get();
  db->log_->SetOptions(proof, names.size(), db_options);
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(db_options, options.path, options.families, &db->handles_, &raw);
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, absl::StrCat("cannot open database ", options.path)));
  db->db_.reset(raw);
  QUIPU_RETURN_IF_ERROR(db->log_->Replay(*db->db_, db->handles_, proof));

  const auto key = EncodeSingleKey(KeyPrefix::kGroup);
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         db->Get(db->handles_[0], key.view()));
  if (value.has_value()) db->last_ = DecodeGroupRecord(*value).value_or(GroupRecord{});
  if (db->last_.number != proof.last.number || db->last_.chain != proof.last.chain) {
    return UnprovenError(options.path, absl::StrCat("it opened at group ", db->last_.number,
                                                    ", proven was group ", proof.last.number));
  }
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

absl::Status ProvenDb::Write(rocksdb::WriteBatch& batch, const std::vector<BatchPut>& puts) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return WriteLocked(batch, puts);
}

absl::Status ProvenDb::WriteBuilt(const Build& build) {
  const std::lock_guard<std::mutex> lock(mutex_);
  rocksdb::WriteBatch batch;
  std::vector<BatchPut> puts;
  QUIPU_RETURN_IF_ERROR(build(batch, puts));
  if (batch.Count() == 0 && puts.empty()) return absl::OkStatus();
  return WriteLocked(batch, puts);
}

absl::Status ProvenDb::WriteLocked(rocksdb::WriteBatch& batch, const std::vector<BatchPut>& puts) {
  QUIPU_RETURN_IF_ERROR(failed_);
  watermark_writer_->OnGroupBegins(log_->WatermarkNeeded(last_.number + 1));
  const absl::StatusOr<GroupRecord> group = log_->Write(batch, puts, last_);
  if (!group.ok()) {
    failed_ = group.status();
    return failed_;
  }
  last_ = *group;
  if (!watermark_writer_->OnGroupSynced(last_.number, log_->WatermarkNeeded(last_.number))) {
    failed_ = ToStatus(ErrorCode::kStorageError, "the watermark file could not be written");
  }
  return failed_;
}

absl::Status ProvenDb::AfterWrite() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failed_.ok()) failed_ = log_->AfterWrite();
  return failed_;
}

uint64_t ProvenDb::last_group() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return last_.number;
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
