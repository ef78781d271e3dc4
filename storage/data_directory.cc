#include "storage/data_directory.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/file_watermark.h"

namespace quipu {
namespace {

constexpr absl::string_view kIdentityFile = "/meta.properties";
constexpr absl::string_view kLockFile = "/lock";

std::string IdentityPath(const std::string& path) { return absl::StrCat(path, kIdentityFile); }

// The command that makes `path` usable, for error messages.
std::string FormatCommand(const std::string& path, NodeRole role) {
  return absl::StrCat(
      "quipu storage format ", path, " --role ", NodeRoleName(role),
      " --cluster-id <id> --node-id <n> --directory-id <id>",
      role == NodeRole::kController ? " --voter <id@host:port:directory-id> ..." : "");
}

std::string IdentityText(const DirectoryIdentity& identity) {
  std::string text = absl::StrCat(
      "format.version=", identity.log_store == LogStoreKind::kRocksdb ? 1 : 2,
      "\ncluster.id=", identity.cluster_id.ToText(), "\nrole=", NodeRoleName(identity.role),
      "\nnode.id=", identity.node_id, "\ndirectory.id=", identity.directory_id.ToText(), "\n");
  if (!identity.voters.empty()) {
    std::vector<std::string> voters;
    for (const VoterIdentity& voter : identity.voters) voters.push_back(VoterText(voter));
    absl::StrAppend(&text, "voters=", absl::StrJoin(voters, ","), "\n");
  }
  if (identity.observer) absl::StrAppend(&text, "observer=true\n");
  if (identity.log_store != LogStoreKind::kRocksdb) {
    absl::StrAppend(&text, "log.store=", LogStoreKindName(identity.log_store), "\n");
  }
  absl::StrAppend(&text, "checksum=", absl::Hex(Crc32c(text), absl::kZeroPad8), "\n");
  return text;
}

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return ToStatus(ErrorCode::kStorageError,
                  absl::StrCat(IdentityPath(path), " is damaged (", what,
                               "); restore it from a backup, or format a new directory and let the "
                               "node start empty"));
}

using Properties = absl::btree_map<std::string, std::string>;

absl::StatusOr<Properties> ParseProperties(const std::string& path, const std::string& text) {
  const size_t checksum_at = text.rfind("checksum=");
  if (checksum_at == std::string::npos) return Damaged(path, "no checksum");
  const std::string expected = absl::StrCat(
      "checksum=", absl::Hex(Crc32c(text.substr(0, checksum_at)), absl::kZeroPad8), "\n");
  if (text.substr(checksum_at) != expected) return Damaged(path, "wrong checksum");
  Properties properties;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    properties[parts.first] = parts.second;
  }
  return properties;
}

// Reads the version before the checksum is judged: a newer program may write another form.
absl::Status CheckVersion(const std::string& path, const std::string& text) {
  const std::vector<std::string> lines = absl::StrSplit(text, absl::MaxSplits('\n', 1));
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(lines[0], absl::MaxSplits('=', 1));
  int version = 0;
  if (parts.first != "format.version" || !absl::SimpleAtoi(parts.second, &version)) {
    return Damaged(path, "no format version");
  }
  if (version > kDirectoryFormatVersion) {
    return ToStatus(ErrorCode::kUnsupportedVersion,
                    absl::StrCat("data directory ", path, " has format version ", version,
                                 ", this program knows versions up to ", kDirectoryFormatVersion,
                                 "; start the newer program that wrote it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<DirectoryIdentity> ParseIdentity(const std::string& path, const std::string& text) {
  QUIPU_RETURN_IF_ERROR(CheckVersion(path, text));
  QUIPU_ASSIGN_OR_RETURN(Properties properties, ParseProperties(path, text));
  DirectoryIdentity identity;
  const std::optional<Uuid> cluster_id = Uuid::FromText(properties["cluster.id"]);
  const std::optional<Uuid> directory_id = Uuid::FromText(properties["directory.id"]);
  if (!cluster_id.has_value()) return Damaged(path, "cluster.id");
  if (!directory_id.has_value()) return Damaged(path, "directory.id");
  if (!absl::SimpleAtoi(properties["node.id"], &identity.node_id)) return Damaged(path, "node.id");
  const std::string& role = properties["role"];
  if (role != NodeRoleName(NodeRole::kBroker) && role != NodeRoleName(NodeRole::kController)) {
    return Damaged(path, "role");
  }
  identity.cluster_id = *cluster_id;
  identity.directory_id = *directory_id;
  identity.role =
      role == NodeRoleName(NodeRole::kBroker) ? NodeRole::kBroker : NodeRole::kController;
  for (const absl::string_view part :
       absl::StrSplit(properties["voters"], ',', absl::SkipEmpty())) {
    std::optional<VoterIdentity> voter = ParseVoter(part);
    if (!voter.has_value()) return Damaged(path, "voters");
    identity.voters.push_back(*std::move(voter));
  }
  identity.observer = properties["observer"] == "true";
  const std::string& log_store = properties["log.store"];
  if (log_store == LogStoreKindName(LogStoreKind::kJournal)) {
    identity.log_store = LogStoreKind::kJournal;
  } else if (!log_store.empty()) {
    return Damaged(path, "log.store");
  }
  return identity;
}

absl::Status InvalidIdentity(absl::string_view what) {
  return ToStatus(ErrorCode::kInvalidConfig, what);
}

absl::Status CheckIdentity(const DirectoryIdentity& identity) {
  if (identity.cluster_id.IsZero()) return InvalidIdentity("the cluster id must not be zero");
  if (identity.directory_id.IsZero()) {
    return InvalidIdentity(
        "the directory id must not be zero; `quipu storage random-id` makes one");
  }
  if (identity.node_id < 0) return InvalidIdentity("the node id must not be negative");
  if (identity.role == NodeRole::kBroker) {
    if (identity.voters.empty() && !identity.observer) return absl::OkStatus();
    return InvalidIdentity("only a controller's directory names voters");
  }
  const size_t count = identity.voters.size();
  if (identity.observer && (count == 0 || count > 5)) {
    return InvalidIdentity(absl::StrCat(
        "an observer's directory names the one to five voters that there are, not ", count));
  }
  if (!identity.observer && count != 1 && count != 3 && count != 5) {
    return InvalidIdentity(absl::StrCat("one, three or five voters are needed, not ", count));
  }
  bool self = false;
  for (size_t i = 0; i < count; ++i) {
    const VoterIdentity& voter = identity.voters[i];
    for (size_t k = 0; k < i; ++k) {
      if (identity.voters[k].id == voter.id ||
          identity.voters[k].directory_id == voter.directory_id) {
        return InvalidIdentity("two voters share an id or a directory id");
      }
    }
    if (identity.observer && voter.directory_id == identity.directory_id) {
      return InvalidIdentity("this directory id is a voter's; an observer needs one of its own");
    }
    if (voter.id.value() != identity.node_id) continue;
    self = voter.directory_id == identity.directory_id;
  }
  if (self || identity.observer) return absl::OkStatus();
  return InvalidIdentity(
      "this node's id and directory id must be among the voters; --observer formats a directory "
      "that is to take a voter's place (quipu controller replace)");
}

// kDuplicateResource when formatted; kStorageError when it holds anything else.
absl::Status CheckEmpty(const std::string& path, Files& files) {
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  bool formatted = false;
  std::string stranger;
  for (const std::string& name : names) {
    if (name == "lost+found") continue;
    if (name == "meta.properties") formatted = true;
    // Left behind by a format that was cut short; written anew.
    if (name == "meta.properties.tmp" || name == "watermark" || name == "watermark.tmp") continue;
    stranger = name;
  }
  if (formatted) {
    return ToStatus(
        ErrorCode::kDuplicateResource,
        absl::StrCat("data directory ", path, " is formatted already; nothing changed"));
  }
  if (!stranger.empty()) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat("data directory ", path, " is not empty (it holds ", stranger,
                                 "); name an empty or absent folder"));
  }
  return absl::OkStatus();
}

absl::Status Foreign(ErrorCode code, const DirectoryIdentity& found, const std::string& path,
                     absl::string_view what) {
  return ToStatus(
      code, absl::StrCat("data directory ", path, " belongs to ", NodeRoleName(found.role), " ",
                         found.node_id, " of cluster ", found.cluster_id.ToText(),
                         ", directory id ", found.directory_id.ToText(), "; ", what,
                         ". Name the right directory (log.dir), or format another: ",
                         FormatCommand("<empty folder>", found.role)));
}

absl::Status CheckExpected(const DirectoryIdentity& found, const ExpectedIdentity& expected,
                           const std::string& path) {
  if (found.role != expected.role) {
    return Foreign(ErrorCode::kInvalidConfig, found, path,
                   absl::StrCat("this process is a ", NodeRoleName(expected.role)));
  }
  if (expected.cluster_id.has_value() && found.cluster_id != *expected.cluster_id) {
    return Foreign(ErrorCode::kInconsistentClusterId, found, path,
                   absl::StrCat("cluster ", expected.cluster_id->ToText(), " was expected"));
  }
  if (expected.node_id.has_value() && found.node_id != *expected.node_id) {
    return Foreign(ErrorCode::kInvalidConfig, found, path,
                   absl::StrCat("this process is node ", *expected.node_id));
  }
  if (expected.directory_id.has_value() && found.directory_id != *expected.directory_id) {
    return Foreign(ErrorCode::kInvalidConfig, found, path,
                   absl::StrCat("directory id ", expected.directory_id->ToText(), " was expected"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view LogStoreKindName(LogStoreKind kind) {
  switch (kind) {
    case LogStoreKind::kRocksdb:
      return "rocksdb";
    case LogStoreKind::kJournal:
      return "journal";
  }
  return "unknown";
}

absl::string_view NodeRoleName(NodeRole role) {
  switch (role) {
    case NodeRole::kBroker:
      return "broker";
    case NodeRole::kController:
      return "controller";
  }
  return "unknown";
}

std::optional<VoterIdentity> ParseVoter(absl::string_view text) {
  const size_t at = text.find('@');
  const size_t last_colon = text.rfind(':');
  if (at == absl::string_view::npos || last_colon == absl::string_view::npos) return std::nullopt;
  if (last_colon <= at) return std::nullopt;
  const absl::string_view address = text.substr(at + 1, last_colon - at - 1);
  const size_t port_colon = address.rfind(':');
  if (port_colon == absl::string_view::npos || port_colon == 0) return std::nullopt;
  int32_t id = 0;
  uint32_t port = 0;
  if (!absl::SimpleAtoi(text.substr(0, at), &id) || id < 0) return std::nullopt;
  if (!absl::SimpleAtoi(address.substr(port_colon + 1), &port)) return std::nullopt;
  if (port == 0 || port > 65535) return std::nullopt;
  const std::optional<Uuid> directory_id = Uuid::FromText(text.substr(last_colon + 1));
  if (!directory_id.has_value() || directory_id->IsZero()) return std::nullopt;
  return VoterIdentity{.id = ControllerId(id),
                       .endpoint = {.host = std::string(address.substr(0, port_colon)),
                                    .port = static_cast<uint16_t>(port)},
                       .directory_id = *directory_id};
}

std::string VoterText(const VoterIdentity& voter) {
  return absl::StrCat(voter.id.value(), "@", voter.endpoint.host, ":", voter.endpoint.port, ":",
                      voter.directory_id.ToText());
}

absl::Status FormatDirectory(const std::string& path, const DirectoryIdentity& identity,
                             Files& files) {
  QUIPU_RETURN_IF_ERROR(CheckIdentity(identity));
  QUIPU_RETURN_IF_ERROR(files.MakeFolder(path));
  QUIPU_RETURN_IF_ERROR(CheckEmpty(path, files));
  QUIPU_RETURN_IF_ERROR(files.SyncFolder(FolderOf(path)));  // the directory's own name
  QUIPU_RETURN_IF_ERROR(FileWatermark::Create(DataDirectory::WatermarkPath(path), files));
  // The identity comes last: with it the directory counts as formatted.
  return WriteFileDurably(files, IdentityPath(path), IdentityText(identity));
}

absl::StatusOr<DirectoryIdentity> ReadDirectoryIdentity(const std::string& path, Files& files) {
  const absl::StatusOr<std::string> text = files.Read(IdentityPath(path));
  if (CodeOf(text.status()) == ErrorCode::kResourceNotFound) {
    return ToStatus(ErrorCode::kResourceNotFound,
                    absl::StrCat(path, " is no data directory: it has no meta.properties"));
  }
  QUIPU_RETURN_IF_ERROR(text.status());
  return ParseIdentity(path, *text);
}

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path,
                                                                   const ExpectedIdentity& expected,
                                                                   Files& files) {
  absl::StatusOr<std::string> text = files.Read(IdentityPath(path));
  if (!text.ok() && CodeOf(text.status()) == ErrorCode::kResourceNotFound) {
    return ToStatus(ErrorCode::kResourceNotFound,
                    absl::StrCat("data directory ", path,
                                 " is not formatted; run: ", FormatCommand(path, expected.role)));
  }
  QUIPU_RETURN_IF_ERROR(text.status());
  QUIPU_ASSIGN_OR_RETURN(DirectoryIdentity identity, ParseIdentity(path, *text));
  QUIPU_RETURN_IF_ERROR(CheckExpected(identity, expected, path));
  const std::string lock_path = absl::StrCat(path, kLockFile);
  absl::StatusOr<std::unique_ptr<FileLock>> locked = files.Lock(lock_path);
  if (!locked.ok()) {
    return ToStatus(
        CodeOf(locked.status()),
        absl::StrCat("data directory ", path, " is not writable: ", locked.status().message()));
  }
  std::unique_ptr<FileLock> lock = *std::move(locked);
  if (lock == nullptr) {
    return ToStatus(
        ErrorCode::kStorageError,
        absl::StrCat("data directory ", path, " is in use by another process (it holds ", lock_path,
                     "); stop that process, or name another log.dir"));
  }
  auto directory =
      std::unique_ptr<DataDirectory>(new DataDirectory(path, std::move(identity), std::move(lock)));
  // RocksDB syncs the names in its folder but not the folder's own name. And whoever formatted this
  // directory may have been killed before its last sync, so that the names that we see here are
  // only in memory: nothing may be acknowledged on top of them.
  QUIPU_RETURN_IF_ERROR(files.MakeFolder(directory->database_path()));
  QUIPU_RETURN_IF_ERROR(files.SyncFolder(path));
  if (expected.log_store.has_value()) {
    QUIPU_RETURN_IF_ERROR(
        directory->SettleLogStore(*expected.log_store, expected.may_be_other_store, files));
  }
  return directory;
}

// The one way's files look to the other as if everything was lost: so this comes before they are
// judged.
absl::Status DataDirectory::SettleLogStore(LogStoreKind expected, bool may_be_other, Files& files) {
  if (identity_.log_store == expected) return absl::OkStatus();
  const absl::StatusOr<FileWatermark::Content> watermark =
      FileWatermark::Read(watermark_path(), files);
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path_));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> database, files.List(database_path()));
  const auto holds = [](const std::vector<std::string>& where, absl::string_view name) {
    return std::find(where.begin(), where.end(), name) != where.end();
  };
  const bool fresh = watermark.ok() && watermark->last_group == 0 && !watermark->unclean &&
                     !holds(database, "CURRENT") && !holds(names, "journal");
  if (!fresh && may_be_other) return absl::OkStatus();
  if (!fresh) {
    return ToStatus(
        ErrorCode::kInvalidConfig,
        absl::StrCat("data directory ", path_,
                     " is stored with log.store=", LogStoreKindName(identity_.log_store),
                     ", this process is set to log.store=", LogStoreKindName(expected),
                     "; what is stored is never converted. Set log.store=",
                     LogStoreKindName(identity_.log_store),
                     ", or let the broker begin anew and take its data from its peers: move the "
                     "directory away and run: ",
                     FormatCommand(path_, identity_.role)));
  }
  DirectoryIdentity identity = identity_;
  identity.log_store = expected;
  QUIPU_RETURN_IF_ERROR(WriteFileDurably(files, IdentityPath(path_), IdentityText(identity)));
  identity_ = std::move(identity);
  return absl::OkStatus();
}

DataDirectory::DataDirectory(std::string path, DirectoryIdentity identity,
                             std::unique_ptr<FileLock> lock)
    : path_(std::move(path)), identity_(std::move(identity)), lock_(std::move(lock)) {}

}  // namespace quipu
