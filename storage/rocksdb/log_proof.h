// Shows, before a database is opened for writing, that nothing of its synced groups is missing
// (D4).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/wal_filter.h"
#include "storage/rocksdb/group_chain.h"

namespace quipu {

// Follows the groups of the WAL while RocksDB replays it, and lets nothing through: a database
// opened with it shows what is in its tables alone.
class ChainWalFilter final : public rocksdb::WalFilter {
 public:
  explicit ChainWalFilter(size_t family_count) : family_count_(family_count) {}

  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& file_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;
  const char* Name() const override { return "quipu.ChainWalFilter"; }

  [[nodiscard]] bool seen_any() const { return !chains_.empty(); }
  [[nodiscard]] const GroupRecord& first() const { return first_; }
  [[nodiscard]] const GroupRecord& last() const { return last_; }
  // The chain of a group in [first, last].
  [[nodiscard]] uint32_t ChainOf(uint64_t number) const { return chains_[number - first_.number]; }
  // What broke the chain; empty while it holds.
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  const size_t family_count_;
  GroupRecord first_;
  GroupRecord last_;
  std::vector<uint32_t> chains_;  // of each group from first_ to last_
  std::string broken_;
};

// Reads the database at `path` without changing it and returns its last group.
//   families   all names, "default" first
//   watermark  the last group that is known to have been synced
//   env        where the files are
// Errors: kUnprovenDirectory with the reason when the last group is below the watermark, the chain
// is broken, groups that are not in the tables are not in the WAL either, or RocksDB refuses the
// files; kStorageError when they could not be read at all.
// A path without a database is proven only with watermark 0, and gives group 0.
absl::StatusOr<GroupRecord> ProveDatabase(const std::string& path,
                                          const std::vector<std::string>& families,
                                          uint64_t watermark,
                                          rocksdb::Env& env = *rocksdb::Env::Default());

}  // namespace quipu
