#include "storage/rocksdb/rocksdb_options.h"

#include <utility>

#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"

namespace quipu {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

rocksdb::ColumnFamilyOptions CommonFamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache,
                                                 size_t write_buffer_bytes) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = write_buffer_bytes;
  // Producers compress whole batches; doing it again costs CPU and gains nothing.
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kNoCompression;
  // A deleted or corrupt file is an error, not something to step over.
  options.paranoid_file_checks = false;  // reads back each new file: doubles the I/O of a flush
  options.force_consistency_checks = true;

  rocksdb::BlockBasedTableOptions table;
  // XXH3: this build has CRC32C in software only.
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_cache = cache;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

std::shared_ptr<rocksdb::Cache> BlockCache() { return rocksdb::NewLRUCache(32 * kMiB); }

rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;

  // ---- durability (D1, D2) ----
  // Replay up to the first damage; whether that is complete is shown by the group chain (D4).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.recycle_log_file_num = 0;      // a recycled WAL's old records could be taken for new ones
  options.manual_wal_flush = false;      // a write reaches the file before it returns
  options.wal_bytes_per_sync = 0;        // could sync a newer WAL before an older one
  options.max_bgerror_resume_count = 0;  // never limp on after a failed write (D3)
  options.paranoid_checks = true;        // refuse to open, and stop writing, at any damage
  // 7.8.3 can refuse with a false "Missing WAL" (fixed in 7.10); our own chain covers more.
  options.track_and_verify_wals_in_manifest = false;
  options.unordered_write = false;         // would break the order of groups
  options.two_write_queues = false;        // the same
  options.enable_pipelined_write = false;  // one writer: nothing to overlap
  options.atomic_flush = false;            // one WAL keeps the families consistent
  options.best_efforts_recovery = false;   // never guess
  options.use_fsync = false;               // fdatasync writes the length too
  options.fail_if_options_file_error = true;
  // Old WALs go at open, so that a damaged tail of one is never followed by a newer WAL.
  options.avoid_flush_during_recovery = false;
  options.max_total_wal_size = 256 * kMiB;  // bounds replay at open to a second or two

  // ---- one writer ----
  options.allow_concurrent_memtable_write = false;  // needed for insert hints
  options.enable_write_thread_adaptive_yield = false;

  // ---- machine ----
  options.max_background_jobs = 2;  // one flush and one compaction; keys only are compacted
  options.max_open_files = 512;   // table and blob files; stays below a limit of 1,024 descriptors
  options.bytes_per_sync = kMiB;  // tables and blobs reach the disk steadily, not in one burst
  options.advise_random_on_open = false;  // blobs have no read-ahead but the kernel's
  options.compaction_readahead_size = 2 * kMiB;
  options.skip_stats_update_on_db_open = true;   // opens faster
  options.avoid_unnecessary_blocking_io = true;  // closing iterators deletes no files

  // ---- its own diary ----
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = 8 * kMiB;
  options.keep_log_file_num = 4;
  options.stats_dump_period_sec = 0;     // an idle broker sleeps
  options.stats_persist_period_sec = 0;  // the same
  return options;
}

rocksdb::ColumnFamilyOptions LogFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& cache,
    std::shared_ptr<rocksdb::CompactionFilterFactory> filter, bool batches_inside) {
  rocksdb::ColumnFamilyOptions options = CommonFamilyOptions(cache, 64 * kMiB);
  options.max_write_buffer_number = 4;  // writes go on while a flush runs
  // Keys come in order per log; the hint spares the search from the top of the skip list.
  options.memtable_insert_with_hint_prefix_extractor.reset(
      rocksdb::NewFixedPrefixTransform(sizeof(uint64_t)));
  // Batches never go through levelled compaction: only 16-byte keys and pointers do.
  options.enable_blob_files = batches_inside;
  // Every batch, however small: damage in a blob is that of one batch and is repaired from a peer;
  // in a table it would take the keys of its whole block along.
  options.min_blob_size = 0;
  options.blob_file_size = 256 * kMiB;
  options.blob_compression_type = rocksdb::kNoCompression;
  options.blob_compaction_readahead_size = 2 * kMiB;
  // Off in background compactions, which would rewrite payload without need; the trimmer asks for
  // it where enough is garbage.
  options.enable_blob_garbage_collection = false;
  // Tables hold keys only, so many of them at level 0 cost little; a write must not stall on them.
  options.level0_file_num_compaction_trigger = 4;
  options.level0_slowdown_writes_trigger = 40;
  options.level0_stop_writes_trigger = 60;
  options.compaction_filter_factory = std::move(filter);
  return options;
}

rocksdb::ColumnFamilyOptions TimeIndexFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& cache,
    std::shared_ptr<rocksdb::CompactionFilterFactory> filter) {
  rocksdb::ColumnFamilyOptions options = CommonFamilyOptions(cache, 16 * kMiB);
  options.compaction_filter_factory = std::move(filter);
  return options;
}

rocksdb::ColumnFamilyOptions SmallFamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  return CommonFamilyOptions(cache, 16 * kMiB);
}

rocksdb::WriteOptions SyncedWrite() {
  rocksdb::WriteOptions options;
  options.sync = true;  // D1
  options.disableWAL = false;
  return options;
}

rocksdb::ReadOptions CheckedRead() {
  rocksdb::ReadOptions options;
  // The batch's own CRC would not notice a lost key: the blocks' checksums do.
  options.verify_checksums = true;
  return options;
}

}  // namespace quipu
