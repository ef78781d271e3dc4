// Whose data directory this is, and that only one process uses it.
//
// `quipu storage format` writes the identity once; every start reads it and takes a lock. The
// identity is a text file, `meta.properties`, with one key=value a line and a checksum line, so
// that a person can read it and a damaged one is not believed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "core/metadata/metadata_image.h"
#include "storage/files.h"

namespace quipu {

// Newest layout of a data directory that this program reads and writes. 1 knows one way to store;
// a directory gets 2 with the other one, so that an older program refuses it.
inline constexpr int kDirectoryFormatVersion = 2;

// How a broker's records are stored (log.store).
enum class LogStoreKind {
  kRocksdb,  // in RocksDB, under its own log
  kJournal,  // in a journal, with RocksDB as the index
};
absl::string_view LogStoreKindName(LogStoreKind kind);

enum class NodeRole { kBroker, kController };
absl::string_view NodeRoleName(NodeRole role);

// A voter as it is written at format time: `id@host:port:directory-id`.
struct VoterIdentity {
  ControllerId id;
  HostPort endpoint;
  DirectoryId directory_id;
  friend bool operator==(const VoterIdentity&, const VoterIdentity&) = default;
};
// nullopt when `text` has another form.
std::optional<VoterIdentity> ParseVoter(absl::string_view text);
std::string VoterText(const VoterIdentity& voter);

struct DirectoryIdentity {
  ClusterId cluster_id;
  NodeRole role = NodeRole::kBroker;
  int32_t node_id = -1;  // a BrokerId or a ControllerId
  DirectoryId directory_id;
  std::vector<VoterIdentity> voters;  // controllers: one, three or five; brokers: none
  // A controller that is to take a voter's place and is none yet (`quipu controller replace`).
  // `voters` are then those that there are, one to five, and say where to reach them, no more.
  bool observer = false;
  LogStoreKind log_store = LogStoreKind::kRocksdb;  // of a broker, since its first start
  friend bool operator==(const DirectoryIdentity&, const DirectoryIdentity&) = default;
};

// What a process expects of its directory; what is not named is not checked.
struct ExpectedIdentity {
  NodeRole role = NodeRole::kBroker;
  std::optional<int32_t> node_id = std::nullopt;
  std::optional<ClusterId> cluster_id = std::nullopt;
  std::optional<DirectoryId> directory_id = std::nullopt;
  // A directory in which nothing is stored yet becomes one of this kind; one of another kind is
  // refused, unless it may stay what it is.
  std::optional<LogStoreKind> log_store = std::nullopt;
  bool may_be_other_store = false;
};

// Makes `path` (created when absent, else empty) a data directory of `identity`, durably.
//   kInvalidConfig     the identity is not complete (zero ids, a wrong number of voters, ...)
//   kDuplicateResource already formatted: nothing is changed
//   kStorageError      not empty, not writable, or another failure of the file system
absl::Status FormatDirectory(const std::string& path, const DirectoryIdentity& identity,
                             Files& files = SystemFiles());

// The identity of a formatted directory, without a lock and without changing anything.
// kResourceNotFound, kUnsupportedVersion, kStorageError as DataDirectory::Open.
absl::StatusOr<DirectoryIdentity> ReadDirectoryIdentity(const std::string& path,
                                                        Files& files = SystemFiles());

// A data directory that this process holds the lock of. The lock goes with the object, and with the
// process however it ends. Thread-safe: immutable.
class DataDirectory {
 public:
  // Reads the identity, compares it with `expected`, takes the lock, and makes the database's
  // folder and every name in the directory durable. Each error names the path and what to do:
  //   kResourceNotFound       not formatted
  //   kInconsistentClusterId  formatted for another cluster
  //   kInvalidConfig          formatted for another node, role or directory id, or stored in
  //                           another way
  //   kUnsupportedVersion     formatted by a newer program
  //   kStorageError           locked by another process, not writable, or damaged
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& path,
                                                             const ExpectedIdentity& expected,
                                                             Files& files = SystemFiles());
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const DirectoryIdentity& identity() const { return identity_; }
  // Files of the directory, by what they hold.
  [[nodiscard]] std::string database_path() const { return DatabasePath(path_); }
  [[nodiscard]] std::string journal_path() const { return JournalPath(path_); }
  static std::string DatabasePath(const std::string& path) { return path + "/log"; }
  static std::string JournalPath(const std::string& path) { return path + "/journal"; }
  // How the names of the database's write-ahead files end.
  static constexpr char kWalSuffix[] = ".log";
  [[nodiscard]] std::string watermark_path() const { return WatermarkPath(path_); }
  static std::string LockPath(const std::string& path) { return path + "/lock"; }
  static std::string WatermarkPath(const std::string& path) { return path + "/watermark"; }

 private:
  DataDirectory(std::string path, DirectoryIdentity identity, std::unique_ptr<FileLock> lock);
  absl::Status SettleLogStore(LogStoreKind expected, bool may_be_other, Files& files);

  std::string path_;
  DirectoryIdentity identity_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace quipu
