#include "storage/rocksdb/open_storage.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "storage/file_watermark.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/rocksdb/rocksdb_raft_store.h"

namespace quipu {
namespace {

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

}  // namespace

absl::StatusOr<BrokerStorage> OpenBrokerStorage(const OpenStorageOptions& options) {
  BrokerStorage storage;
  ExpectedIdentity expected = options.expected;
  expected.role = NodeRole::kBroker;
  QUIPU_ASSIGN_OR_RETURN(storage.directory,
                         DataDirectory::Open(options.path, expected, FilesOf(options)));
  QUIPU_ASSIGN_OR_RETURN(storage.watermark, FileWatermark::Open(storage.directory->watermark_path(),
                                                                FilesOf(options)));
  QUIPU_ASSIGN_OR_RETURN(
      storage.store, RocksdbLogStore::Open({.path = storage.directory->database_path(),
                                            .identity = IdentityText(storage.directory->identity()),
                                            .fatal = options.fatal,
                                            .trimmer = {},
                                            .env = EnvOf(options)},
                                           *storage.watermark));
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
