// Everything durable of a process, in one call.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/broker_identity.h"
#include "storage/data_directory.h"
#include "storage/files.h"
#include "storage/journal/journal_settings.h"
#include "storage/log_store.h"
#include "storage/raft_store.h"
#include "storage/wal_writer.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace quipu {

struct OpenStorageOptions {
  std::string path;           // the data directory (log.dir)
  ExpectedIdentity expected;  // role is set by the opener
  // Ends the process after a failed write or sync (D3). Any thread.
  FatalHandler fatal;
  WalWriter::Options writer{};  // brokers only
  // Brokers only: how a directory is stored in which nothing is yet. One that is stored in another
  // way is refused, unless it may be opened as it is.
  LogStoreKind log_store = LogStoreKind::kRocksdb;
  bool may_be_other_store = false;
  JournalSettings journal{};
  // Where everything durable lies; both must outlive the storage. Null: the operating system's.
  Files* files = nullptr;
  rocksdb::Env* env = nullptr;
};

// A broker's disk. Members are destroyed in reverse order: the writer drains and ends first, the
// lock goes last. Stop everything that submits or reads before.
struct BrokerStorage {
  std::unique_ptr<DataDirectory> directory;
  // Its mark (unclean) says that the log is not known to be complete.
  std::unique_ptr<WatermarkFile> watermark;
  std::unique_ptr<LogStore> store;
  std::unique_ptr<WalWriter> writer;
  // Of any thread, as long as the store lives; null: there is no journal.
  std::function<JournalStats()> journal_stats;
};

// A controller's disk.
struct ControllerStorage {
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<WatermarkFile> watermark;
  std::unique_ptr<RaftStore> store;
};

// A broker whose log cannot be shown to be complete (D4) opens all the same, marked as unclean. The
// mark is durable before anything else changes. Of the database then
//   - a prefix, in the order of groups and for all logs alike, is kept and goes on; its WAL as it
//     was found is linked to a folder `log.unproven` beside it, unless there is one already;
//   - one that does not open, or is no prefix, becomes `log.unproven`, and an empty one begins.
// With a journal the same holds for it and its database together: what is behind the prefix is kept
// under the suffix `.unproven` in the journal's folder, and the whole becomes `journal.unproven`.
// Errors of DataDirectory::Open, and
//   kUnprovenDirectory  the database would have to be set aside, and `log.unproven` is there from
//                       an earlier time: evidence is never removed by itself
//   kStorageError       the database cannot be opened for another reason
absl::StatusOr<BrokerStorage> OpenBrokerStorage(const OpenStorageOptions& options);
// A controller's must be proven: kUnprovenDirectory, and the database is left as it was found.
absl::StatusOr<ControllerStorage> OpenControllerStorage(const OpenStorageOptions& options);

}  // namespace quipu
