// A RocksDB whose every synced group is numbered, chained, and shown to be there when it is opened.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "storage/broker_identity.h"
#include "storage/rocksdb/env/manifest_env.h"
#include "storage/rocksdb/group_chain.h"
#include "storage/rocksdb/groups/group_log.h"
#include "storage/watermark_writer.h"

namespace quipu {

// The common ground of the broker's and the controller's database: rules D1 to D4.
class ProvenDb {
 public:
  struct Options {
    std::string path;
    // All families, "default" first.
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    // Who owns the directory, as text: written at the first opening, compared at each later one.
    std::string identity;
    FatalHandler fatal;
    // A log that is unproven opens too, if what is left is a prefix: what is behind it is given up.
    // The caller has marked the directory as unclean and moved the watermark back before.
    bool keep_prefix = false;
    // How groups become durable; null: by RocksDB's own log.
    std::shared_ptr<GroupLog> log = nullptr;
    // Where the files are; must outlive the database.
    rocksdb::Env* env = rocksdb::Env::Default();
  };

  // `watermark` must outlive the database.
  //   kUnprovenDirectory  see ProveDatabase, or the database has no identity; nothing was changed
  //   kInvalidConfig      the database is that of another directory
  //   kStorageError       cannot be opened
  static absl::StatusOr<std::unique_ptr<ProvenDb>> Open(Options options, WatermarkFile& watermark);
  ~ProvenDb();
  ProvenDb(const ProvenDb&) = delete;
  ProvenDb& operator=(const ProvenDb&) = delete;

  // Seals `batch` as the next group, writes and syncs it. Any error is final: every later Write
  // gives it again (D3). Any thread; one at a time.
  absl::Status Write(rocksdb::WriteBatch& batch) { return Write(batch, {}); }
  // The same, with batches that are put behind everything else.
  absl::Status Write(rocksdb::WriteBatch& batch, const std::vector<BatchPut>& puts);
  // The same, for what `build` makes of what the database holds: no other group comes between. When
  // it puts nothing, nothing is written.
  using Build = std::function<absl::Status(rocksdb::WriteBatch&, std::vector<BatchPut>&)>;
  absl::Status WriteBuilt(const Build& build);
  // Whoever waited for the last group was told: what may wait is done now. Any error is final. As
  // Write.
  absl::Status AfterWrite();
  // The last group that readers see. Any thread.
  [[nodiscard]] uint64_t last_group() const;

  [[nodiscard]] rocksdb::DB& db() const { return *db_; }
  // In the order of Options::families.
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(size_t index) const { return handles_[index]; }

  // Value of `key`; nullopt when absent.
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> Get(rocksdb::ColumnFamilyHandle* family,
                                                               absl::string_view key) const;

 private:
  ProvenDb() = default;
  absl::Status CheckIdentity(const Options& options);
  absl::Status WriteLocked(rocksdb::WriteBatch& batch, const std::vector<BatchPut>& puts);

  std::shared_ptr<GroupLog> log_;  // must outlive db_
  std::unique_ptr<ManifestEnv> env_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<WatermarkWriter> watermark_writer_;
  mutable std::mutex mutex_;
  GroupRecord last_;     // under mutex_
  absl::Status failed_;  // under mutex_
};

}  // namespace quipu
