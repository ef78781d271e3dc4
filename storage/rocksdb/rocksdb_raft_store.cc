#include "storage/rocksdb/rocksdb_raft_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

absl::Status Damaged(absl::string_view what) {
  return ToStatus(ErrorCode::kCorruptMessage,
                  absl::StrCat("the Raft log: ", what,
                               " is damaged; this controller must not take part. Format a new "
                               "directory for it (quipu storage format)"));
}

constexpr KeyPrefix kSnapshotKey = KeyPrefix::kProducerSnapshot;  // 'S', in a family of its own

}  // namespace

absl::StatusOr<std::unique_ptr<RocksdbRaftStore>> RocksdbRaftStore::Open(const Options& options,
                                                                         WatermarkFile& watermark) {
  auto store = std::unique_ptr<RocksdbRaftStore>(new RocksdbRaftStore());
  const std::shared_ptr<rocksdb::Cache> cache = BlockCache();
  ProvenDb::Options db_options{.path = options.path,
                               .families = {},
                               .identity = options.identity,
                               .fatal = options.fatal,
                               .keep_prefix = false,
                               .log = nullptr,
                               .env = options.env};
  for (const char* name : {"default", "raft_log", "raft_meta", "snapshot"}) {
    db_options.families.emplace_back(name, SmallFamilyOptions(cache));
  }
  QUIPU_CHECK(db_options.families.size() == kFamilyCount);
  QUIPU_ASSIGN_OR_RETURN(store->db_, ProvenDb::Open(std::move(db_options), watermark));
  QUIPU_RETURN_IF_ERROR(store->FindBounds());
  return store;
}

absl::Status RocksdbRaftStore::FindBounds() {
  const std::unique_ptr<rocksdb::Iterator> it(db_->db().NewIterator(CheckedRead(), family(kLog)));
  bool any = false;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::optional<LogIndex> index = DecodeRaftKey(ToView(it->key()));
    if (!index.has_value()) continue;  // the group record
    if (!any) first_ = *index;
    last_ = *index;
    any = true;
  }
  return FromRocksdb(it->status(), "cannot read the Raft log");
}

absl::Status RocksdbRaftStore::DeleteRange(LogIndex first, LogIndex last,
                                           rocksdb::WriteBatch& batch) {
  rocksdb::Status status;
  for (LogIndex index = first; index <= last; ++index) {
    KeepFirst(status, batch.Delete(family(kLog), ToSlice(EncodeRaftKey(index).view())));
  }
  return FromRocksdb(status, "cannot delete Raft entries");
}

absl::Status RocksdbRaftStore::AddAppends(const RaftWrite& write, rocksdb::WriteBatch& batch) {
  rocksdb::Status status;
  for (const message::RaftEntry& entry : write.append) {
    const LogIndex index(entry.index());
    if (last_ < first_) {
      first_ = index;
    } else {
      QUIPU_CHECK_MSG(index == last_ + 1, "an entry that leaves a gap");
    }
    last_ = index;
    KeepFirst(status, batch.Put(family(kLog), ToSlice(EncodeRaftKey(index).view()),
                                EncodeRaftEntry(entry)));
  }
  return FromRocksdb(status, "cannot append Raft entries");
}

absl::Status RocksdbRaftStore::Write(const RaftWrite& write) {
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  if (write.hard_state.has_value()) {
    KeepFirst(status,
              batch.Put(family(kMeta), ToSlice(EncodeSingleKey(KeyPrefix::kHardState).view()),
                        EncodeHardState(*write.hard_state)));
  }
  if (write.snapshot.has_value()) {
    KeepFirst(status, batch.Put(family(kSnapshot), ToSlice(EncodeSingleKey(kSnapshotKey).view()),
                                EncodeRaftSnapshot(*write.snapshot)));
    KeepFirst(status,
              batch.Put(family(kSnapshot), ToSlice(EncodeSingleKey(KeyPrefix::kVoters).view()),
                        EncodeText(write.snapshot->voters)));
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot write Raft state"));
  if (write.truncate_from.has_value() && *write.truncate_from <= last_) {
    const LogIndex from = std::max(*write.truncate_from, first_);
    QUIPU_RETURN_IF_ERROR(DeleteRange(from, last_, batch));
    last_ = from - 1;
  }
  if (write.compact_to.has_value() && *write.compact_to >= first_) {
    const LogIndex to = std::min(*write.compact_to, last_);
    QUIPU_RETURN_IF_ERROR(DeleteRange(first_, to, batch));
    first_ = to + 1;
  }
  QUIPU_RETURN_IF_ERROR(AddAppends(write, batch));
  if (batch.Count() == 0) return absl::OkStatus();
  return db_->Write(batch);
}

absl::StatusOr<std::vector<message::RaftEntry>> RocksdbRaftStore::LoadEntries() const {
  std::vector<message::RaftEntry> entries;
  const std::unique_ptr<rocksdb::Iterator> it(db_->db().NewIterator(CheckedRead(), family(kLog)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::optional<LogIndex> index = DecodeRaftKey(ToView(it->key()));
    if (!index.has_value()) continue;  // the group record
    std::optional<message::RaftEntry> entry = DecodeRaftEntry(ToView(it->value()));
    if (!entry.has_value() || LogIndex(entry->index()) != *index) {
      return Damaged(absl::StrCat("entry ", index->value()));
    }
    if (!entries.empty() && entries.back().index() + 1 != entry->index()) {
      return Damaged(absl::StrCat("the part before entry ", index->value()));
    }
    entries.push_back(*std::move(entry));
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(it->status(), "cannot read the Raft log"));
  return entries;
}

absl::StatusOr<RecoveredRaft> RocksdbRaftStore::Load() const {
  RecoveredRaft recovered;
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> hard_state,
                         db_->Get(family(kMeta), EncodeSingleKey(KeyPrefix::kHardState).view()));
  if (hard_state.has_value()) {
    const std::optional<RaftHardState> decoded = DecodeHardState(*hard_state);
    if (!decoded.has_value()) return Damaged("the record of term and vote");
    recovered.hard_state = *decoded;
  }
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> snapshot,
                         db_->Get(family(kSnapshot), EncodeSingleKey(kSnapshotKey).view()));
  if (snapshot.has_value()) {
    recovered.snapshot = DecodeRaftSnapshot(*snapshot);
    if (!recovered.snapshot.has_value()) return Damaged("the snapshot");
    // Absent: written before voters could be replaced.
    QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> voters,
                           db_->Get(family(kSnapshot), EncodeSingleKey(KeyPrefix::kVoters).view()));
    const std::optional<std::string> text = voters ? DecodeText(*voters) : std::string();
    if (!text.has_value()) return Damaged("the set of voters");
    recovered.snapshot->voters = *text;
  }
  QUIPU_ASSIGN_OR_RETURN(recovered.entries, LoadEntries());
  if (recovered.entries.empty()) return recovered;
  const uint64_t covered =
      recovered.snapshot.has_value() ? recovered.snapshot->last_index.value() : 0;
  if (recovered.entries.front().index() > covered + 1) {
    return Damaged(absl::StrCat("the part before entry ", recovered.entries.front().index()));
  }
  return recovered;
}

}  // namespace quipu
