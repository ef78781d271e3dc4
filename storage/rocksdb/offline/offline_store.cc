#include "storage/rocksdb/offline/offline_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "rocksdb/db.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/groups/wal_group_log.h"
#include "storage/rocksdb/journal/journal_log.h"
#include "storage/rocksdb/log_proof.h"
#include "storage/rocksdb/offline/overlaid_db.h"
#include "storage/rocksdb/rocksdb_log_iterator.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

absl::Status DamagedPart(absl::string_view what) {
  return ToStatus(ErrorCode::kCorruptMessage, absl::StrCat(what, " is damaged"));
}

std::vector<std::string> FamiliesOf(NodeRole role) {
  if (role == NodeRole::kBroker) return RocksdbLogStore::FamilyNames();
  return {rocksdb::kDefaultColumnFamilyName, "raft_log", "raft_meta", "snapshot"};
}

}  // namespace

// A database that is open for reading.
class OfflineStore::Database {
 public:
  // `journal`: nullopt when there is none.
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const std::string& path, const std::vector<std::string>& names,
      const std::optional<Journal::Options>& journal) {
    rocksdb::DBOptions options = DatabaseOptions();
    options.create_if_missing = false;
    options.create_missing_column_families = false;
    const std::shared_ptr<rocksdb::Cache> cache = BlockCache();
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) {
      families.emplace_back(
          name, name == "log" ? LogFamilyOptions(cache, nullptr) : SmallFamilyOptions(cache));
    }
    auto database = std::make_unique<Database>();
    rocksdb::DB* raw = nullptr;
    const rocksdb::Status status =
        rocksdb::DB::OpenForReadOnly(options, path, families, &database->handles_, &raw);
    if (!status.ok()) {
      return FromRocksdb(status, absl::StrCat("the database ", path, " cannot be read"));
    }
    database->db_ = std::make_unique<OverlaidDb>(raw, database->handles_);
    if (!journal) {
      database->place_ = std::make_unique<InlineBatches>();
      return database;
    }
    QUIPU_RETURN_IF_ERROR(database->LayJournalOver(*journal));
    database->place_ = std::make_unique<JournalBatchReader>(*journal->files, journal->folder);
    return database;
  }
  ~Database() {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  }

  [[nodiscard]] rocksdb::DB& db() { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(size_t index) { return handles_[index]; }
  [[nodiscard]] LogSource source() { return {*db_, handles_[kLog], *place_}; }
  std::unique_ptr<rocksdb::Iterator> Iterate(size_t family) {
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(CheckedRead(), handles_[family]));
  }

 private:
  // The groups behind those of the tables, as far as a start would find them.
  absl::Status LayJournalOver(const Journal::Options& journal) {
    QUIPU_ASSIGN_OR_RETURN(const JournalPoint applied, LowestApplied(*db_, handles_));
    QUIPU_ASSIGN_OR_RETURN(const JournalReader reader,
                           JournalReader::Open(*journal.files, journal.folder, journal.directory_id,
                                               SealedIndex(handles_.size())));
    return reader
        .Walk(applied,
              [&](const JournalGroup& group) {
                if (group.header.number <= applied.number) return absl::OkStatus();
                return db_->Add(group.index);
              })
        .status();
  }

  std::unique_ptr<OverlaidDb> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<const BatchPlace> place_;
};

OfflineStore::OfflineStore() = default;

OfflineStore::~OfflineStore() {
  if (lock_ >= 0) close(lock_);
}

absl::StatusOr<std::unique_ptr<OfflineStore>> OfflineStore::Open(const std::string& path) {
  auto store = std::unique_ptr<OfflineStore>(new OfflineStore());
  store->path_ = path;
  QUIPU_ASSIGN_OR_RETURN(store->directory_.identity, ReadDirectoryIdentity(path));
  QUIPU_RETURN_IF_ERROR(store->LockDirectory(path));
  const auto watermark = FileWatermark::Read(DataDirectory::WatermarkPath(path));
  if (watermark.ok()) {
    store->directory_.watermark = *watermark;
  } else {
    store->directory_.watermark_damage = std::string(watermark.status().message());
  }
  QUIPU_RETURN_IF_ERROR(store->Prove());
  return store;
}

// A directory that was never started has no lock file, and none is made.
absl::Status OfflineStore::LockDirectory(const std::string& path) {
  const std::string file = DataDirectory::LockPath(path);
  lock_ = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ < 0 && errno == ENOENT) return absl::OkStatus();
  if (lock_ < 0) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat("cannot open ", file, ": ", std::strerror(errno)));
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  return ToStatus(ErrorCode::kStorageError,
                  absl::StrCat(path, " is in use by another process (it holds ", file,
                               "); stop that node first"));
}

std::optional<Journal::Options> OfflineStore::JournalOptions() const {
  if (directory_.identity.log_store != LogStoreKind::kJournal) return std::nullopt;
  return Journal::Options{.folder = DataDirectory::JournalPath(path_),
                          .directory_id = directory_.identity.directory_id,
                          .fatal = nullptr};
}

absl::Status OfflineStore::Prove() {
  const uint64_t watermark = directory_.watermark ? directory_.watermark->last_group : 0;
  const std::vector<std::string> families = FamiliesOf(directory_.identity.role);
  const std::string database = DataDirectory::DatabasePath(path_);
  const std::optional<Journal::Options> journal = JournalOptions();
  QUIPU_ASSIGN_OR_RETURN(
      const DatabaseProof proof,
      journal ? ProveWithJournal(database, families, watermark, *rocksdb::Env::Default(), *journal)
              : ProveDatabase(database, families, watermark));
  directory_.last_group = proof.last.number;
  directory_.unproven = directory_.watermark ? proof.unproven : directory_.watermark_damage;
  return absl::OkStatus();
}

absl::StatusOr<OfflineStore::Database*> OfflineStore::OpenDatabase() {
  if (database_ == nullptr) {
    QUIPU_ASSIGN_OR_RETURN(database_,
                           Database::Open(DataDirectory::DatabasePath(path_),
                                          FamiliesOf(directory_.identity.role), JournalOptions()));
  }
  return database_.get();
}

absl::StatusOr<std::vector<OfflineLog>> OfflineStore::Logs() {
  QUIPU_ASSIGN_OR_RETURN(Database* const database, OpenDatabase());
  std::map<LogId, std::vector<EpochEntry>> epochs;
  std::map<LogId, ProducerSnapshot> snapshots;
  std::map<PartitionUid, PartitionValue> partitions;
  const std::unique_ptr<rocksdb::Iterator> it = database->Iterate(kMeta);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    const absl::string_view value = ToView(it->value());
    if (const auto epoch = DecodeEpochKey(key)) {
      const std::optional<Offset> start = DecodeEpochValue(value);
      if (!start) return DamagedPart("an epoch entry");
      epochs[epoch->log_id].push_back({.epoch = epoch->epoch, .start_offset = *start});
    } else if (const auto uid = DecodePartitionKey(key)) {
      const std::optional<PartitionValue> partition = DecodePartitionValue(value);
      if (!partition) return DamagedPart("a partition's state");
      partitions[*uid] = *partition;
    } else if (const auto as_of = DecodeProducerSnapshotKey(key)) {
      const std::optional<ProducerSnapshot> snapshot = DecodeProducerSnapshot(value);
      if (!snapshot) return DamagedPart("a producer snapshot");
      snapshots[as_of->log_id] = *snapshot;  // ascending: the last one stays
    }
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(it->status(), "cannot read the partitions' states"));
  std::vector<OfflineLog> logs;
  for (const auto& [uid, partition] : partitions) {
    OfflineLog log{.uid = uid, .log_id = partition.log_id, .state = partition.state};
    log.epochs = epochs[log.log_id];
    const auto snapshot = snapshots.find(log.log_id);
    if (snapshot != snapshots.end()) log.snapshot = snapshot->second;
    LogIterator newest(database->source(), log.log_id, log.state.log_start_offset, Offset::Max(),
                       nullptr);
    newest.SeekToLast();
    QUIPU_RETURN_IF_ERROR(newest.status());
    log.log_end_offset = newest.Valid() ? newest.last_offset() + 1 : log.state.log_start_offset;
    logs.push_back(std::move(log));
  }
  return logs;
}

absl::Status OfflineStore::EachBatch(LogId log_id, Offset from, Offset end,
                                     const std::function<bool(const OfflineBatch&)>& see) {
  QUIPU_ASSIGN_OR_RETURN(Database* const database, OpenDatabase());
  LogIterator it(database->source(), log_id, from, Offset::Max(), nullptr);
  for (; it.Valid(); it.Next()) {
    OfflineBatch batch{.place = it.Place(), .header = std::nullopt, .damage = {}};
    const absl::StatusOr<StoredBatch> checked = it.Checked();
    if (!checked.ok()) batch.damage = std::string(checked.status().message());
    const absl::StatusOr<RecordBatchView> header =
        RecordBatchView::Parse(checked.ok() ? checked->bytes : it.Unchecked());
    if (header.ok()) batch.header = *header;
    if (header.ok() && checked.ok()) batch.place.first_offset = header->base_offset();
    if (batch.place.first_offset >= end) break;
    if (!see(batch)) return absl::OkStatus();
  }
  return it.status();
}

absl::StatusOr<OfflineRaft> OfflineStore::Raft() {
  QUIPU_ASSIGN_OR_RETURN(Database* const database, OpenDatabase());
  enum : size_t { kRaftLog = 1, kRaftMeta, kSnapshot };
  OfflineRaft raft;
  const auto get = [database](size_t family, KeyPrefix prefix, std::string& value) {
    const auto key = EncodeSingleKey(prefix);
    return database->db().Get(CheckedRead(), database->family(family), ToSlice(key.view()), &value);
  };
  const auto found = [&raft](const rocksdb::Status& status, const char* what) {
    if (!status.ok() && !status.IsNotFound()) {
      raft.damage.push_back(absl::StrCat(what, ": ", status.ToString()));
    }
    return status.ok();
  };
  std::string value;
  if (found(get(kRaftMeta, KeyPrefix::kHardState, value), "term and vote")) {
    const std::optional<RaftHardState> state = DecodeHardState(value);
    if (state) raft.hard_state = *state;
    if (!state) raft.damage.emplace_back("the record of term and vote");
  }
  if (found(get(kSnapshot, KeyPrefix::kProducerSnapshot, value), "snapshot")) {
    raft.snapshot = DecodeRaftSnapshot(value);
    if (!raft.snapshot) raft.damage.emplace_back("the snapshot");
  }
  if (raft.snapshot && found(get(kSnapshot, KeyPrefix::kVoters, value), "voters")) {
    const std::optional<std::string> voters = DecodeText(value);
    if (voters) raft.snapshot->voters = *voters;
    if (!voters) raft.damage.emplace_back("the set of voters");
  }
  const std::unique_ptr<rocksdb::Iterator> it = database->Iterate(kRaftLog);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::optional<LogIndex> index = DecodeRaftKey(ToView(it->key()));
    if (!index) continue;  // the group record
    const std::optional<message::RaftEntry> entry = DecodeRaftEntry(ToView(it->value()));
    if (entry && LogIndex(entry->index()) == *index) {
      raft.entries.push_back(*entry);
    } else {
      raft.damage.push_back(absl::StrCat("entry ", index->value()));
    }
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(it->status(), "cannot read the Raft log"));
  return raft;
}

}  // namespace quipu
