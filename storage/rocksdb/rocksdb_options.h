// Every RocksDB option that we set, with its reason, in one place (D2).
#pragma once

#include <memory>

#include "rocksdb/cache.h"
#include "rocksdb/compaction_filter.h"
#include "rocksdb/options.h"

namespace quipu {

// Of a whole database, for brokers and controllers alike.
rocksdb::DBOptions DatabaseOptions();
// The block cache that all families of a database share: an idle broker stays small.
std::shared_ptr<rocksdb::Cache> BlockCache();
// Family `log`: keys of 16 bytes, batches in blob files; without `batches_inside`, pointers to
// them.
rocksdb::ColumnFamilyOptions LogFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& cache,
    std::shared_ptr<rocksdb::CompactionFilterFactory> filter, bool batches_inside = true);
// Family `time_index`: keys only, trimmed like the log.
rocksdb::ColumnFamilyOptions TimeIndexFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& cache,
    std::shared_ptr<rocksdb::CompactionFilterFactory> filter);
// Small keys and values: `meta`, `default`, and the controller's families.
rocksdb::ColumnFamilyOptions SmallFamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache);
// Every write of ours (D1).
rocksdb::WriteOptions SyncedWrite();
// Every read of ours.
rocksdb::ReadOptions CheckedRead();

}  // namespace quipu
