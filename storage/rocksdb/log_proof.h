// Shows, before a database is opened for writing, that nothing of its synced groups is missing
// (D4).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/wal_filter.h"
#include "storage/rocksdb/group_chain.h"

namespace quipu {

// Groups that follow each other without a gap.
class GroupRun {
 public:
  // Must continue the last one.
  void Add(const GroupRecord& record);
  [[nodiscard]] bool seen_any() const { return !chains_.empty(); }
  [[nodiscard]] const GroupRecord& first() const { return first_; }
  [[nodiscard]] const GroupRecord& last() const { return last_; }
  // The chain of a group in [first, last].
  [[nodiscard]] uint32_t ChainOf(uint64_t number) const { return chains_[number - first_.number]; }

 private:
  GroupRecord first_;
  GroupRecord last_;
  std::vector<uint32_t> chains_;  // of each group from first_ to last_
};

// Follows the groups of the WAL while RocksDB replays it, and lets nothing through: a database
// opened with it shows what is in its tables alone.
class ChainWalFilter final : public rocksdb::WalFilter {
 public:
  explicit ChainWalFilter(size_t family_count) : family_count_(family_count) {}

  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& file_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;
  const char* Name() const override { return "quipu.ChainWalFilter"; }

  [[nodiscard]] const GroupRun& run() const { return run_; }
  // What broke the chain; empty while it holds.
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  const size_t family_count_;
  GroupRun run_;
  std::string broken_;
};

// What the files of a database show.
struct DatabaseProof {
  // The last group up to which every group is there and continues the one before.
  GroupRecord last;
  // Why the log is not known to be complete; empty: it is.
  std::string unproven;
  // The database can be opened so that it holds the groups up to `last`, and nothing else.
  bool is_prefix = true;
};

// Shows, in order, the groups behind `after` that lie outside RocksDB, and says what broke their
// chain (empty: nothing). A DataLossError without a code of ours: they are not what they should be.
using WalkGroups =
    std::function<absl::StatusOr<std::string>(const GroupRecord& after, GroupRun& run)>;

// Reads the database at `path` without changing it.
//   families   all names, "default" first
//   watermark  the last group that is known to have been synced
//   env        where the files are
//   walk       the groups that are in no table yet; null: they are in RocksDB's own log
// Unproven is a log that ends below the watermark or whose chain breaks (what is before the break
// is a prefix), whose groups are neither in the tables nor in the WAL, or whose files RocksDB
// refuses (no prefix). Error: kStorageError when the files could not be read at all.
// A path without a database is proven only with watermark 0, and gives group 0.
absl::StatusOr<DatabaseProof> ProveDatabase(const std::string& path,
                                            const std::vector<std::string>& families,
                                            uint64_t watermark,
                                            rocksdb::Env& env = *rocksdb::Env::Default(),
                                            const WalkGroups& walk = nullptr);

// kUnprovenDirectory for what ProveDatabase has found, with what to do.
absl::Status UnprovenError(const std::string& path, const std::string& what);

}  // namespace quipu
