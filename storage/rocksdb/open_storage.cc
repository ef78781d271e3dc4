// Everything durable of a process, and what happens to a broker's log that is unproven (D4).
#include "storage/rocksdb/open_storage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "rocksdb/env.h"
#include "storage/file_watermark.h"
#include "storage/rocksdb/log_proof.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/rocksdb/rocksdb_raft_store.h"

namespace quipu {
namespace {

// What retention frees at once is used again, however large segments are.
constexpr size_t kSparesMin = 2;

// The owner of a directory, as its database remembers it.
std::string IdentityText(const DirectoryIdentity& identity) {
  return absl::StrCat(NodeRoleName(identity.role), " ", identity.node_id, " of cluster ",
                      identity.cluster_id.ToText(), ", directory ", identity.directory_id.ToText());
}

Files& FilesOf(const OpenStorageOptions& options) {
  return options.files != nullptr ? *options.files : SystemFiles();
}
rocksdb::Env* EnvOf(const OpenStorageOptions& options) {
  return options.env != nullptr ? options.env : rocksdb::Env::Default();
}

bool IsUnusable(const absl::Status& status) {
  // kCorruptMessage: a table of the small families does not read, so nothing can be opened.
  return CodeOf(status) == ErrorCode::kUnprovenDirectory ||
         CodeOf(status) == ErrorCode::kCorruptMessage;
}

// Opens the log of a broker's directory, or makes one that can be opened of what is there.
class BrokerLogOpener {
 public:
  BrokerLogOpener(const OpenStorageOptions& options, BrokerStorage& storage)
      : options_(options),
        files_(FilesOf(options)),
        env_(*EnvOf(options)),
        storage_(storage),
        path_(storage.directory->database_path()) {}

  absl::Status Open() {
    QUIPU_RETURN_IF_ERROR(OpenWatermark());
    absl::Status opened = OpenStore(/*keep_prefix=*/false);
    if (!IsUnusable(opened)) return opened;
    QUIPU_ASSIGN_OR_RETURN(
        const DatabaseProof proof,
        has_journal()
            ? ProveWithJournal(path_, RocksdbLogStore::FamilyNames(), watermark_->last_group(),
                               env_, JournalOptions())
            : ProveDatabase(path_, RocksdbLogStore::FamilyNames(), watermark_->last_group(), env_));
    if (proof.is_prefix && CodeOf(opened) == ErrorCode::kUnprovenDirectory) {
      // Mark and new watermark are one write, before the database is touched: from here on every
      // start is unclean until the controllers know it.
      QUIPU_RETURN_IF_ERROR(watermark_->MarkUnclean(proof.last.number));
      LogWarn("storage.unproven", {{"path", path_},
                                   {"detail", proof.unproven},
                                   {"kept_up_to_group", std::to_string(proof.last.number)}});
      if (!has_journal()) QUIPU_RETURN_IF_ERROR(KeepWal());
      opened = OpenStore(/*keep_prefix=*/true);
      if (!IsUnusable(opened)) return opened;
    }
    QUIPU_RETURN_IF_ERROR(SetAside(opened));
    return OpenStore(/*keep_prefix=*/false);
  }

 private:
  [[nodiscard]] std::string evidence_path() const { return path_ + ".unproven"; }
  [[nodiscard]] std::string journal_path() const { return storage_.directory->journal_path(); }
  [[nodiscard]] bool has_journal() const {
    return storage_.directory->identity().log_store == LogStoreKind::kJournal;
  }
  [[nodiscard]] Journal::Options JournalOptions() const {
    const uint64_t segment_bytes = RoundUpToBlock(options_.journal.segment_bytes);
    const size_t spares = options_.journal.spare_bytes / segment_bytes;
    return {.folder = journal_path(),
            .directory_id = storage_.directory->identity().directory_id,
            .fatal = options_.fatal,
            .files = &files_,
            .segment_bytes = segment_bytes,
            .spares_max = options_.journal.spare_bytes == 0 ? 0 : std::max(spares, kSparesMin),
            .spares_ahead = spares};
  }

  absl::Status OpenWatermark() {
    const std::string path = storage_.directory->watermark_path();
    absl::StatusOr<std::unique_ptr<FileWatermark>> file = FileWatermark::Open(path, files_);
    if (CodeOf(file.status()) == ErrorCode::kUnprovenDirectory) {
      LogWarn("storage.unproven",
              {{"path", path}, {"detail", std::string(file.status().message())}});
      QUIPU_RETURN_IF_ERROR(FileWatermark::Create(path, files_, /*unclean=*/true));
      file = FileWatermark::Open(path, files_);
    }
    QUIPU_RETURN_IF_ERROR(file.status());
    watermark_ = file->get();
    storage_.watermark = *std::move(file);
    return absl::OkStatus();
  }

  absl::Status OpenStore(bool keep_prefix) {
    RocksdbLogStore::Options options{.path = path_,
                                     .identity = IdentityText(storage_.directory->identity()),
                                     .fatal = options_.fatal,
                                     .trimmer = {},
                                     .keep_prefix = keep_prefix,
                                     .env = &env_};
    if (has_journal()) {
      options.journal = JournalLog::Options{.journal = JournalOptions(),
                                            .tail_bytes = options_.journal.tail_bytes};
      options.cleaner.flush_bytes = options_.journal.replay_bytes;
    }
    absl::StatusOr<std::unique_ptr<RocksdbLogStore>> store =
        RocksdbLogStore::Open(std::move(options), *watermark_);
    QUIPU_RETURN_IF_ERROR(store.status());
    if (has_journal()) {
      storage_.journal_stats = [&of = **store] { return of.GetJournalStats(); };
    }
    storage_.store = *std::move(store);
    return absl::OkStatus();
  }

  // RocksDB removes the WAL behind the prefix when it opens. It may hold acknowledged records, so
  // it stays reachable under another name; links cost no space. All of it is there, or the folder
  // is not: a start that is cut short leaves one of another name.
  absl::Status KeepWal() {
    if (env_.FileExists(evidence_path()).ok()) return absl::OkStatus();
    const std::string unfinished = evidence_path() + ".tmp";
    QUIPU_RETURN_IF_ERROR(RemoveLinks(unfinished));
    QUIPU_RETURN_IF_ERROR(Check(env_.CreateDir(unfinished), "cannot make"));
    std::vector<std::string> names;
    QUIPU_RETURN_IF_ERROR(Check(env_.GetChildren(path_, &names), "cannot read"));
    for (const std::string& name : names) {
      if (!absl::EndsWith(name, ".log")) continue;
      QUIPU_RETURN_IF_ERROR(
          Check(env_.LinkFile(absl::StrCat(path_, "/", name), absl::StrCat(unfinished, "/", name)),
                "cannot link"));
    }
    QUIPU_RETURN_IF_ERROR(SyncFolder(unfinished));
    QUIPU_RETURN_IF_ERROR(Check(env_.RenameFile(unfinished, evidence_path()), "cannot rename"));
    linked_ = true;
    return SyncFolder(FolderOf(path_));
  }

  absl::Status RemoveLinks(const std::string& folder) {
    if (!env_.FileExists(folder).ok()) return absl::OkStatus();
    std::vector<std::string> names;
    QUIPU_RETURN_IF_ERROR(Check(env_.GetChildren(folder, &names), "cannot read"));
    for (const std::string& name : names) {
      if (!absl::EndsWith(name, ".log")) continue;  // "." and ".."
      QUIPU_RETURN_IF_ERROR(
          Check(env_.DeleteFile(absl::StrCat(folder, "/", name)), "cannot remove"));
    }
    return Check(env_.DeleteDir(folder), "cannot remove");
  }

  absl::Status SetAside(const absl::Status& why) {
    // Links to what is about to be renamed there are no evidence of their own.
    if (std::exchange(linked_, false)) QUIPU_RETURN_IF_ERROR(RemoveLinks(evidence_path()));
    const bool there = env_.FileExists(path_).ok();
    const std::string journal_evidence = journal_path() + ".unproven";
    const bool journal_there = has_journal() && env_.FileExists(journal_path()).ok();
    const bool in_the_way = (there && env_.FileExists(evidence_path()).ok()) ||
                            (journal_there && env_.FileExists(journal_evidence).ok());
    if (in_the_way) {
      return ToStatus(ErrorCode::kUnprovenDirectory,
                      absl::StrCat(path_, " cannot be used (", why.message(),
                                   ") and would be set aside, but ", evidence_path(),
                                   " is there from an earlier time. Examine that, move it out of "
                                   "the data directory or remove it, and start the broker again"));
    }
    QUIPU_RETURN_IF_ERROR(watermark_->MarkUnclean(0));
    LogWarn("storage.unproven", {{"path", path_},
                                 {"detail", std::string(why.message())},
                                 {"set_aside", there ? evidence_path() : "nothing was there"}});
    // The database first: a journal without one is not taken for sound.
    if (there) {
      QUIPU_RETURN_IF_ERROR(Check(env_.RenameFile(path_, evidence_path()), "cannot rename"));
      QUIPU_RETURN_IF_ERROR(SyncFolder(FolderOf(path_)));
    }
    if (journal_there) {
      QUIPU_RETURN_IF_ERROR(files_.Rename(journal_path(), journal_evidence));
      QUIPU_RETURN_IF_ERROR(SyncFolder(FolderOf(path_)));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] absl::Status Check(const rocksdb::Status& status, absl::string_view what) const {
    if (status.ok()) return absl::OkStatus();
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat(what, " in ", FolderOf(path_), ": ", status.ToString()));
  }
  absl::Status SyncFolder(const std::string& path) {
    std::unique_ptr<rocksdb::Directory> folder;
    QUIPU_RETURN_IF_ERROR(Check(env_.NewDirectory(path, &folder), "cannot open a folder"));
    return Check(folder->Fsync(), "cannot sync a folder");
  }

  const OpenStorageOptions& options_;
  Files& files_;
  rocksdb::Env& env_;
  BrokerStorage& storage_;
  const std::string path_;
  FileWatermark* watermark_ = nullptr;
  bool linked_ = false;  // log.unproven was made in this start, of links
};

}  // namespace

absl::StatusOr<BrokerStorage> OpenBrokerStorage(const OpenStorageOptions& options) {
  BrokerStorage storage;
  ExpectedIdentity expected = options.expected;
  expected.role = NodeRole::kBroker;
  expected.log_store = options.log_store;
  expected.may_be_other_store = options.may_be_other_store;
  QUIPU_ASSIGN_OR_RETURN(storage.directory,
                         DataDirectory::Open(options.path, expected, FilesOf(options)));
  QUIPU_RETURN_IF_ERROR(BrokerLogOpener(options, storage).Open());
  storage.writer = std::make_unique<WalWriter>(*storage.store, options.fatal, options.writer);
  return storage;
}

absl::StatusOr<ControllerStorage> OpenControllerStorage(const OpenStorageOptions& options) {
  ControllerStorage storage;
  ExpectedIdentity expected = options.expected;
  expected.role = NodeRole::kController;
  QUIPU_ASSIGN_OR_RETURN(storage.directory,
                         DataDirectory::Open(options.path, expected, FilesOf(options)));
  QUIPU_ASSIGN_OR_RETURN(storage.watermark, FileWatermark::Open(storage.directory->watermark_path(),
                                                                FilesOf(options)));
  QUIPU_ASSIGN_OR_RETURN(
      storage.store,
      RocksdbRaftStore::Open({.path = storage.directory->database_path(),
                              .identity = IdentityText(storage.directory->identity()),
                              .fatal = options.fatal,
                              .env = EnvOf(options)},
                             *storage.watermark));
  return storage;
}

}  // namespace quipu
