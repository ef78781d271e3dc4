#include "storage/rocksdb/rocksdb_log_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"
#include "storage/log_recovery.h"
#include "storage/rocksdb/groups/wal_group_log.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

absl::Status DamagedValue(absl::string_view what) {
  return ToStatus(ErrorCode::kCorruptMessage,
                  absl::StrCat("the log's database: ", what, " is damaged"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksdbLogStore>> RocksdbLogStore::Open(Options options,
                                                                       WatermarkFile& watermark) {
  auto store = std::unique_ptr<RocksdbLogStore>(new RocksdbLogStore());
  store->trim_table_ = std::make_shared<TrimTable>();
  const std::shared_ptr<rocksdb::Cache> cache = BlockCache();
  ProvenDb::Options db_options{.path = options.path,
                               .families = {},
                               .identity = options.identity,
                               .fatal = options.fatal,
                               .keep_prefix = options.keep_prefix,
                               .log = std::make_shared<WalGroupLog>(kLog),
                               .env = options.env};
  if (options.journal.has_value()) {
    store->journal_ = std::make_shared<JournalLog>(*options.journal);
    db_options.log = store->journal_;
    store->place_ = store->journal_;
  } else {
    store->place_ = std::make_shared<InlineBatches>();
  }
  const std::vector<std::string> names = FamilyNames();
  db_options.families = {
      {names[kDefault], SmallFamilyOptions(cache)},
      {names[kMeta], SmallFamilyOptions(cache)},
      {names[kLog], LogFamilyOptions(cache, MakeTrimFilter(store->trim_table_, TrimFamily::kLog),
                                     /*batches_inside=*/!options.journal.has_value())},
      {names[kTimeIndex],
       TimeIndexFamilyOptions(cache, MakeTrimFilter(store->trim_table_, TrimFamily::kTimeIndex))}};
  QUIPU_CHECK(db_options.families.size() == kFamilyCount);
  QUIPU_ASSIGN_OR_RETURN(store->db_, ProvenDb::Open(std::move(db_options), watermark));
  TrimView view;
  std::vector<LogId> dropped;
  QUIPU_RETURN_IF_ERROR(store->LoadMeta(view, dropped));
  store->trim_table_->Publish(view);
  store->StartTrimmer(options);
  for (const LogId log_id : dropped) store->trimmer_->OnDropped(log_id);
  for (const auto& [log_id, log_start] : view.log_starts) {
    if (log_start > Offset{0}) store->trimmer_->OnTrimmed(log_id, log_start);
  }
  return store;
}

std::vector<std::string> RocksdbLogStore::FamilyNames() {
  return {rocksdb::kDefaultColumnFamilyName, "meta", "log", "time_index"};
}

RocksdbLogStore::~RocksdbLogStore() = default;

JournalStats RocksdbLogStore::GetJournalStats() const {
  const Journal::Stats journal = journal_->journal().stats();
  const JournalCleaner::Stats cleaner = cleaner_->stats();
  const JournalLog::Replayed replayed = journal_->replayed();
  return {.segments = journal.segments,
          .segment_bytes = journal.bytes,
          .spare_bytes = journal.maker.free_bytes,
          .made = journal.maker.made,
          .recycled = journal.maker.recycled,
          .freed = cleaner.freed_segments,
          .moved_bytes = cleaner.moved_bytes,
          .unflushed_bytes = journal_->unflushed_bytes(),
          .replayed_groups = replayed.groups,
          .replay_seconds = static_cast<double>(replayed.nanoseconds) / 1e9,
          .direct = journal.direct};
}

void RocksdbLogStore::StartTrimmer(const Options& options) {
  Trimmer::Ports ports{
      .db = &db_->db(),
      .log = family(kLog),
      .time_index = family(kTimeIndex),
      .reclaimable_bytes = [this](LogId log_id) { return ReclaimableBytes(log_id); },
      .forget_dropped = [this](LogId log_id) { return ForgetDropped(log_id); },
      .flush = [this] { return Flush(); },
      .fatal = options.fatal};
  trimmer_ = std::make_unique<Trimmer>(std::move(ports), options.trimmer);
  if (journal_ == nullptr) return;
  cleaner_ = std::make_unique<JournalCleaner>(
      JournalCleaner::Ports{.log = journal_.get(),
                            .db = db_.get(),
                            .places_mutex = &places_mutex_,
                            .log_start = [this](LogId log_id) -> std::optional<Offset> {
                              const absl::StatusOr<Offset> start = LogStart(log_id);
                              return start.ok() ? std::optional<Offset>(*start) : std::nullopt;
                            },
                            .flush = [this] { return Flush(); },
                            .fatal = options.fatal},
      options.cleaner);
}

// Reads family `meta` whole; it is small. Keys come sorted by prefix: D, E, (G), P, S.
absl::Status RocksdbLogStore::LoadMeta(TrimView& view, std::vector<LogId>& dropped) {
  absl::btree_map<LogId, std::vector<EpochEntry>> epochs;
  const std::unique_ptr<rocksdb::Iterator> it(db_->db().NewIterator(CheckedRead(), family(kMeta)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    const absl::string_view value = ToView(it->value());
    if (const auto dropped_id = DecodeDroppedLogKey(key)) {
      dropped.push_back(*dropped_id);
    } else if (const auto epoch = DecodeEpochKey(key)) {
      const std::optional<Offset> start = DecodeEpochValue(value);
      if (!start.has_value()) return DamagedValue("an epoch entry");
      epochs[epoch->log_id].push_back({.epoch = epoch->epoch, .start_offset = *start});
    } else if (const auto uid = DecodePartitionKey(key)) {
      const std::optional<PartitionValue> partition = DecodePartitionValue(value);
      if (!partition.has_value()) return DamagedValue("a partition's state");
      by_uid_[*uid] = partition->log_id;
      logs_[partition->log_id] = Log{
          .uid = *uid, .state = partition->state, .epochs = std::move(epochs[partition->log_id])};
      view.log_starts[partition->log_id] = partition->state.log_start_offset;
    } else if (const auto snapshot = DecodeProducerSnapshotKey(key)) {
      writer_logs_[snapshot->log_id].snapshots.push_back(snapshot->as_of);
    }
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(it->status(), "cannot read the partitions' states"));
  const auto next_key = EncodeSingleKey(KeyPrefix::kNextLogId);
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> next,
                         db_->Get(family(kDefault), next_key.view()));
  if (next.has_value()) {
    const std::optional<LogId> decoded = DecodeNextLogId(*next);
    if (!decoded.has_value()) return DamagedValue("the next log id");
    next_log_id_ = *decoded;
  }
  for (const auto& [log_id, log] : logs_) {
    if (log_id >= next_log_id_) return DamagedValue("the next log id");
  }
  view.next_log_id = next_log_id_;
  return absl::OkStatus();
}

absl::StatusOr<LogId> RocksdbLogStore::CreateLog(PartitionUid uid) {
  QUIPU_ASSIGN_OR_RETURN(const std::vector<LogId> ids, CreateLogs({uid}));
  return ids[0];
}

absl::StatusOr<std::vector<LogId>> RocksdbLogStore::CreateLogs(
    const std::vector<PartitionUid>& uids) {
  std::vector<LogId> ids;
  absl::btree_map<PartitionUid, LogId> made;
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  for (const PartitionUid uid : uids) {
    const std::optional<LogId> known = FindLog(uid);
    if (known.has_value() || made.contains(uid)) {
      ids.push_back(known.has_value() ? *known : made[uid]);
      continue;
    }
    const LogId log_id = next_log_id_;
    ++next_log_id_;  // an id whose write fails is lost with the process
    made[uid] = log_id;
    ids.push_back(log_id);
    KeepFirst(status, batch.Put(family(kMeta), ToSlice(EncodePartitionKey(uid).view()),
                                EncodePartitionValue({.log_id = log_id, .state = {}})));
  }
  if (made.empty()) return ids;
  KeepFirst(status,
            batch.Put(family(kDefault), ToSlice(EncodeSingleKey(KeyPrefix::kNextLogId).view()),
                      EncodeNextLogId(next_log_id_)));
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot make logs"));
  QUIPU_RETURN_IF_ERROR(db_->Write(batch));
  for (const auto& [uid, log_id] : made) {
    writer_logs_[log_id].tail = Tail{.running_max = kNoTimestamp};
    const std::lock_guard<std::mutex> lock(mutex_);
    logs_[log_id] = Log{.uid = uid, .state = {}, .epochs = {}};
    by_uid_[uid] = log_id;
    trim_table_->AddLog(log_id);
  }
  return ids;
}

absl::Status RocksdbLogStore::DropLogs(const std::vector<PartitionUid>& uids) {
  absl::btree_map<PartitionUid, LogId> dropped;
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  for (const PartitionUid uid : uids) {
    const std::optional<LogId> log_id = FindLog(uid);
    if (!log_id.has_value() || !dropped.emplace(uid, *log_id).second) continue;
    KeepFirst(status, batch.Delete(family(kMeta), ToSlice(EncodePartitionKey(uid).view())));
    for (const EpochEntry& entry : logs_.at(*log_id).epochs) {
      KeepFirst(status,
                batch.Delete(family(kMeta), ToSlice(EncodeEpochKey(*log_id, entry.epoch).view())));
    }
    for (const Offset as_of : writer_logs_[*log_id].snapshots) {
      KeepFirst(status, batch.Delete(family(kMeta),
                                     ToSlice(EncodeProducerSnapshotKey(*log_id, as_of).view())));
    }
    KeepFirst(status, batch.Put(family(kMeta), ToSlice(EncodeDroppedLogKey(*log_id).view()), ""));
  }
  if (dropped.empty()) return absl::OkStatus();
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot drop logs"));
  QUIPU_RETURN_IF_ERROR(db_->Write(batch));
  for (const auto& [uid, log_id] : dropped) {
    writer_logs_.erase(log_id);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      logs_.erase(log_id);
      by_uid_.erase(uid);
    }
    trim_table_->RemoveLog(log_id);
    trimmer_->OnDropped(log_id);
  }
  if (cleaner_ != nullptr) cleaner_->Wake();
  return absl::OkStatus();
}

absl::Status RocksdbLogStore::ForgetDropped(LogId log_id) {
  rocksdb::WriteBatch batch;
  const rocksdb::Status status =
      batch.Delete(family(kMeta), ToSlice(EncodeDroppedLogKey(log_id).view()));
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot forget a dropped log"));
  return db_->Write(batch);
}

std::vector<KnownLog> RocksdbLogStore::Logs() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<KnownLog> logs;
  logs.reserve(by_uid_.size());
  for (const auto& [uid, log_id] : by_uid_) logs.push_back({uid, log_id});
  return logs;
}

std::optional<LogId> RocksdbLogStore::FindLog(PartitionUid uid) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = by_uid_.find(uid);
  if (found == by_uid_.end()) return std::nullopt;
  return found->second;
}

void RocksdbLogStore::PublishTrim(LogId log_id, Offset log_start) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = logs_.find(log_id);
    if (found == logs_.end()) return;
    QUIPU_CHECK_MSG(log_start <= found->second.state.log_start_offset,
                    "a trim was published before it was durable");
  }
  trim_table_->RaiseLogStart(log_id, log_start);
  trimmer_->OnTrimmed(log_id, log_start);
  if (cleaner_ != nullptr) cleaner_->Wake();
}

absl::Status RocksdbLogStore::PutValue(const std::string& name, const std::string& value) {
  rocksdb::WriteBatch batch;
  const rocksdb::Status status =
      batch.Put(family(kDefault), EncodeNamedValueKey(name), EncodeText(value));
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot put a value"));
  return db_->Write(batch);
}

absl::StatusOr<std::optional<std::string>> RocksdbLogStore::GetValue(
    const std::string& name) const {
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                         db_->Get(family(kDefault), EncodeNamedValueKey(name)));
  if (!bytes.has_value()) return std::optional<std::string>();
  std::optional<std::string> text = DecodeText(*bytes);
  if (!text.has_value()) return DamagedValue(absl::StrCat("the value ", name));
  return text;
}

absl::Status RocksdbLogStore::Flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  for (size_t i = 0; i < kFamilyCount; ++i) handles.push_back(db_->family(i));
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    QUIPU_RETURN_IF_ERROR(
        FromRocksdb(db_->db().Flush(rocksdb::FlushOptions(), handle), "cannot flush"));
  }
  return absl::OkStatus();
}

}  // namespace quipu
