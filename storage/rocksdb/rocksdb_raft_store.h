// The Raft log of a controller in its own small RocksDB.
#pragma once

#include <memory>
#include <string>

#include "storage/raft_store.h"
#include "storage/rocksdb/proven_db.h"

namespace quipu {

// A RaftStore on RocksDB under the same rules as the brokers' log (D1 to D4): one RaftWrite is one
// synced, numbered group, and a database that cannot be shown to be complete is not opened, so that
// an unproven voter does not vote. Each entry carries checksum, index and term of its own.
// Write belongs to one thread.
class RocksdbRaftStore final : public RaftStore {
 public:
  struct Options {
    std::string path;
    std::string identity;  // see ProvenDb
    FatalHandler fatal;
    rocksdb::Env* env = rocksdb::Env::Default();  // see ProvenDb
  };
  // Errors of ProvenDb::Open. `watermark` must outlive the store.
  static absl::StatusOr<std::unique_ptr<RocksdbRaftStore>> Open(const Options& options,
                                                                WatermarkFile& watermark);

  absl::Status Write(const RaftWrite& write) override;
  absl::StatusOr<RecoveredRaft> Load() const override;

 private:
  enum Family : size_t { kDefault = 0, kLog, kMeta, kSnapshot, kFamilyCount };

  RocksdbRaftStore() = default;
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(Family family) const {
    return db_->family(family);
  }
  absl::Status FindBounds();
  absl::Status DeleteRange(LogIndex first, LogIndex last, rocksdb::WriteBatch& batch);
  absl::Status AddAppends(const RaftWrite& write, rocksdb::WriteBatch& batch);
  absl::StatusOr<std::vector<message::RaftEntry>> LoadEntries() const;

  std::unique_ptr<ProvenDb> db_;
  // Stored entries are [first_, last_]; none when last_ < first_. Writer's thread only.
  LogIndex first_{1};
  LogIndex last_{0};
};

}  // namespace quipu
