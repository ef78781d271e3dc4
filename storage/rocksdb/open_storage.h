// Everything durable of a process, in one call.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/broker_identity.h"
#include "storage/data_directory.h"
#include "storage/files.h"
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
  // Where everything durable lies; both must outlive the storage. Null: the operating system's.
  Files* files = nullptr;
  rocksdb::Env* env = nullptr;
};

// A broker's disk. Members are destroyed in reverse order: the writer drains and ends first, the
// lock goes last. Stop everything that submits or reads before.
struct BrokerStorage {
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<WatermarkFile> watermark;
  std::unique_ptr<LogStore> store;
  std::unique_ptr<WalWriter> writer;
};

// A controller's disk.
struct ControllerStorage {
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<WatermarkFile> watermark;
  std::unique_ptr<RaftStore> store;
};

// Errors of DataDirectory::Open, and
//   kUnprovenDirectory  the log cannot be shown to be complete (D4): the broker must not start. The
//                       database is left as it was found.
//   kStorageError       the database cannot be opened for another reason
absl::StatusOr<BrokerStorage> OpenBrokerStorage(const OpenStorageOptions& options);
absl::StatusOr<ControllerStorage> OpenControllerStorage(const OpenStorageOptions& options);

}  // namespace quipu
