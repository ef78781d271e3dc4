#include "storage/rocksdb/trimmer.h"

#include <pthread.h>

#include <string>
#include <utility>

#include "base/status_macros.h"
#include "rocksdb/options.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {

Trimmer::Trimmer(Ports ports, Options options) : ports_(std::move(ports)), options_(options) {
  thread_ = std::thread([this] { Run(); });
}

Trimmer::~Trimmer() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  canceled_.store(true);
  wake_.notify_all();
  thread_.join();
}

void Trimmer::OnTrimmed(LogId log_id, Offset log_start) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    trimmed_[log_id] = log_start;
  }
  wake_.notify_one();
}

void Trimmer::OnDropped(LogId log_id) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    trimmed_.erase(log_id);
    dropped_.insert(log_id);
  }
  wake_.notify_one();
}

void Trimmer::WaitUntilIdle() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return trimmed_.empty() && dropped_.empty() && !busy_; });
}

void Trimmer::Run() {
  pthread_setname_np(pthread_self(), "trimmer");
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !trimmed_.empty() || !dropped_.empty(); });
    if (stopping_) return;
    const auto trimmed = std::exchange(trimmed_, {});
    const auto dropped = std::exchange(dropped_, {});
    busy_ = true;
    lock.unlock();
    absl::Status status;
    bool compacted = false;
    for (const LogId log_id : dropped) {
      if (!status.ok() || canceled_.load()) break;
      status = ReclaimDropped(log_id);
      compacted = true;
    }
    for (const auto& [log_id, log_start] : trimmed) {
      if (!status.ok() || canceled_.load()) break;
      if (ports_.reclaimable_bytes(log_id) < options_.reclaim_bytes_min) continue;
      status = Reclaim(log_id, log_start);
      compacted = true;
    }
    if (status.ok() && compacted && !canceled_.load()) status = RelocateBlobsIfWorthIt();
    if (status.ok() && compacted && !canceled_.load()) status = ports_.flush();
    if (!status.ok() && !canceled_.load()) ports_.fatal(std::string(status.message()));
    lock.lock();
    busy_ = false;
    if (trimmed_.empty() && dropped_.empty()) idle_.notify_all();
  }
}

absl::Status Trimmer::Reclaim(LogId log_id, Offset below) {
  QUIPU_RETURN_IF_ERROR(
      CompactRange(ports_.log, EncodeLogRange(log_id).view(), EncodeLogKey(log_id, below).view()));
  return CompactRange(ports_.time_index, EncodeLogRange(log_id).view(),
                      EncodeLogRange(log_id + 1).view());
}

absl::Status Trimmer::ReclaimDropped(LogId log_id) {
  const auto from = EncodeLogRange(log_id);
  const auto to = EncodeLogRange(log_id + 1);
  QUIPU_RETURN_IF_ERROR(CompactRange(ports_.log, from.view(), to.view()));
  QUIPU_RETURN_IF_ERROR(CompactRange(ports_.time_index, from.view(), to.view()));
  if (canceled_.load()) return absl::OkStatus();
  return ports_.forget_dropped(log_id);
}

absl::Status Trimmer::CompactRange(rocksdb::ColumnFamilyHandle* family, absl::string_view from,
                                   absl::string_view to) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;  // others may go on
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.canceled = &canceled_;
  const rocksdb::Slice begin = ToSlice(from);
  const rocksdb::Slice end = ToSlice(to);
  const rocksdb::Status status = ports_.db->CompactRange(options, family, &begin, &end);
  if (status.IsIncomplete()) return absl::OkStatus();  // canceled: done at the next start
  return FromRocksdb(status, "cannot compact a trimmed range");
}

absl::Status Trimmer::RelocateBlobsIfWorthIt() {
  uint64_t live = 0;
  uint64_t garbage = 0;
  if (!ports_.db->GetIntProperty(ports_.log, "rocksdb.live-blob-file-size", &live) ||
      !ports_.db->GetIntProperty(ports_.log, "rocksdb.live-blob-file-garbage-size", &garbage)) {
    return absl::InternalError("RocksDB does not tell the size of its blob files");
  }
  if (garbage < static_cast<uint64_t>(options_.reclaim_bytes_min) ||
      static_cast<double>(garbage) < options_.garbage_ratio * static_cast<double>(live)) {
    return absl::OkStatus();
  }
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = 1.0;  // wherever garbage lies
  options.canceled = &canceled_;
  const rocksdb::Status status = ports_.db->CompactRange(options, ports_.log, nullptr, nullptr);
  if (status.IsIncomplete()) return absl::OkStatus();
  return FromRocksdb(status, "cannot relocate blobs");
}

}  // namespace quipu
