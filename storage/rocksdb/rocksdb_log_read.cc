// The read half of RocksdbLogStore.
#include <algorithm>
#include <utility>

#include "base/big_endian.h"
#include "base/status_macros.h"
#include "core/record/record_batch.h"
#include "storage/key_encoding.h"
#include "storage/log_recovery.h"
#include "storage/rocksdb/rocksdb_log_iterator.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// A read of so much is one of many.
constexpr size_t kLongRead = size_t{64} << 10;
constexpr size_t kBegunMax = size_t{4} << 20;

}  // namespace

absl::StatusOr<Offset> RocksdbLogStore::LogStart(LogId log_id) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = logs_.find(log_id);
  if (found == logs_.end()) return UnknownLog(log_id);
  return found->second.state.log_start_offset;
}

absl::StatusOr<std::vector<StoredBatch>> RocksdbLogStore::Read(LogId log_id, Offset from,
                                                               Offset end, size_t bytes_max) const {
  QUIPU_ASSIGN_OR_RETURN(const Offset log_start, LogStart(log_id));
  std::vector<StoredBatch> out;
  size_t bytes = 0;
  LogIterator it(source(), log_id, std::max(from, log_start), end, nullptr);
  if (it.Valid() && bytes_max >= kLongRead) it.BeginReads(std::min(bytes_max, kBegunMax));
  for (; it.Valid(); it.Next()) {
    if (!out.empty() && bytes + it.batch_bytes() > bytes_max) return out;
    absl::StatusOr<StoredBatch> batch = it.Checked();
    if (!batch.ok()) {
      // What is sound before the damage is served; the next read begins at it and fails.
      if (!out.empty()) return out;
      // What was trimmed since this read began may be gone.
      QUIPU_ASSIGN_OR_RETURN(const Offset now, LogStart(log_id));
      if (it.last_offset() < now) return Read(log_id, now, end, bytes_max);
      return batch.status();
    }
    bytes += batch->bytes.size();
    out.push_back(*std::move(batch));
    if (bytes >= bytes_max) return out;  // spares the read of one batch too many
  }
  if (out.empty()) QUIPU_RETURN_IF_ERROR(it.status());
  return out;
}

absl::StatusOr<RecoveredLog> RocksdbLogStore::Recover(LogId log_id) const {
  RecoveredLog recovered;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = logs_.find(log_id);
    if (found == logs_.end()) return UnknownLog(log_id);
    recovered.state = found->second.state;
    recovered.epochs = found->second.epochs;
  }
  const Offset log_start = recovered.state.log_start_offset;
  LogIterator newest(source(), log_id, log_start, Offset::Max(), nullptr);
  newest.SeekToLast();
  QUIPU_RETURN_IF_ERROR(newest.status());
  recovered.log_end_offset = newest.Valid() ? newest.last_offset() + 1 : log_start;
  QUIPU_ASSIGN_OR_RETURN(const std::optional<ProducerSnapshot> snapshot,
                         NewestSnapshot(log_id, recovered.log_end_offset));
  ProducerRecovery producers(snapshot);
  LogIterator it(source(), log_id, std::max(producers.from(), log_start), Offset::Max(), nullptr);
  for (; it.Valid(); it.Next()) {
    const absl::StatusOr<StoredBatch> batch = it.Checked();
    if (!batch.ok()) {
      NameDamaged(it.Place(), recovered);
      continue;
    }
    QUIPU_RETURN_IF_ERROR(producers.Add(log_id, *batch));
  }
  QUIPU_RETURN_IF_ERROR(it.status());
  recovered.producers = producers.Finish();
  return recovered;
}

absl::StatusOr<std::optional<ProducerSnapshot>> RocksdbLogStore::NewestSnapshot(
    LogId log_id, Offset log_end) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->db().NewIterator(CheckedRead(), family(kMeta)));
  it->SeekForPrev(ToSlice(EncodeProducerSnapshotKey(log_id, log_end).view()));
  QUIPU_RETURN_IF_ERROR(FromRocksdb(it->status(), "cannot read a producer snapshot"));
  if (!it->Valid()) return std::optional<ProducerSnapshot>();
  const auto key = DecodeProducerSnapshotKey(ToView(it->key()));
  if (!key.has_value() || key->log_id != log_id) return std::optional<ProducerSnapshot>();
  std::optional<ProducerSnapshot> snapshot = DecodeProducerSnapshot(ToView(it->value()));
  if (!snapshot.has_value() || snapshot->as_of != key->as_of) {
    return DamagedAt(log_id, key->as_of, "the producer snapshot up to here is damaged");
  }
  return snapshot;
}

absl::StatusOr<RocksdbLogStore::Tail> RocksdbLogStore::ReadTail(
    LogId log_id, Offset log_start, Offset below, const ScopedSnapshot* snapshot) const {
  Tail tail{.running_max = kNoTimestamp};
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id,
                          snapshot == nullptr ? nullptr : snapshot->get());
  index.SeekToLast();
  while (index.Valid() && index.entry().last_offset >= below) index.Prev();
  QUIPU_RETURN_IF_ERROR(index.status());
  if (index.Valid()) {
    const TimeIndexEntry entry = index.entry();
    tail.log_end = entry.last_offset + 1;
    tail.running_max = entry.running_max;
    tail.bytes = tail.bytes_at_index = index.bytes();
  }
  LogIterator it(source(), log_id, std::max(tail.log_end, log_start), below, snapshot);
  tail.log_end = std::max(tail.log_end, log_start);
  for (; it.Valid(); it.Next()) {
    tail.log_end = it.last_offset() + 1;
    tail.running_max = std::max(tail.running_max, it.max_timestamp());
    tail.bytes += static_cast<int64_t>(it.batch_bytes());
  }
  QUIPU_RETURN_IF_ERROR(it.status());
  return tail;
}

namespace {

// Where to look for `timestamp` from: behind the last entry that is below it.
absl::StatusOr<Offset> SearchStart(TimestampMs timestamp, TimeIndexIterator& index) {
  index.Seek(timestamp);
  if (index.Valid()) {
    index.Prev();
  } else {
    QUIPU_RETURN_IF_ERROR(index.status());
    index.SeekToLast();
  }
  QUIPU_RETURN_IF_ERROR(index.status());
  return index.Valid() ? index.entry().last_offset + 1 : Offset(0);
}

}  // namespace

// Entries hold the running maximum, so the first one at or above the timestamp bounds the search
// from above and the one before it from below:
//   index   (max 50, to 9)   (max 80, to 19)      looking for 60
//   batches [..9]            [10 .. 19]           from 10 on, the first whose maximum is >= 60
absl::StatusOr<std::optional<StoredBatch>> RocksdbLogStore::FindByTimestamp(
    LogId log_id, TimestampMs timestamp) const {
  QUIPU_ASSIGN_OR_RETURN(const Offset log_start, LogStart(log_id));
  const ScopedSnapshot snapshot(db_->db(), *place_);
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id, snapshot.get());
  QUIPU_ASSIGN_OR_RETURN(const Offset from, SearchStart(timestamp, index));
  LogIterator it(source(), log_id, std::max(log_start, from), Offset::Max(), &snapshot);
  for (; it.Valid(); it.Next()) {
    // Checked before its time is believed: a damaged one could have been the first.
    QUIPU_ASSIGN_OR_RETURN(StoredBatch batch, it.Checked());
    if (batch.max_timestamp < timestamp) continue;
    return std::optional<StoredBatch>(std::move(batch));
  }
  QUIPU_RETURN_IF_ERROR(it.status());
  return std::optional<StoredBatch>();
}

absl::StatusOr<std::optional<StoredBatch>> RocksdbLogStore::FindLargestTimestamp(
    LogId log_id, Offset from) const {
  QUIPU_ASSIGN_OR_RETURN(const Offset log_start, LogStart(log_id));
  const ScopedSnapshot snapshot(db_->db(), *place_);
  QUIPU_ASSIGN_OR_RETURN(const Tail tail, ReadTail(log_id, log_start, Offset::Max(), &snapshot));
  if (tail.running_max == kNoTimestamp) return std::optional<StoredBatch>();
  // The first batch with the largest time of all that ever were lies behind `below`. If it has been
  // removed, or lies below `from`, then so does `below`, and all that is left is read.
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id, snapshot.get());
  QUIPU_ASSIGN_OR_RETURN(const Offset below, SearchStart(tail.running_max, index));
  std::optional<StoredBatch> largest;
  LogIterator it(source(), log_id, std::max({from, log_start, below}), Offset::Max(), &snapshot);
  for (; it.Valid(); it.Next()) {
    QUIPU_ASSIGN_OR_RETURN(StoredBatch batch, it.Checked());
    if (batch.max_timestamp <= (largest ? largest->max_timestamp : kNoTimestamp)) continue;
    largest = std::move(batch);
    if (largest->max_timestamp == tail.running_max) break;
  }
  QUIPU_RETURN_IF_ERROR(it.status());
  return largest;
}

// Index entries carry the bytes of the log up to them. The cut lies between the last entry at or
// below `cut` bytes and the first above it; from there it is counted batch by batch, backwards.
absl::StatusOr<Offset> RocksdbLogStore::OffsetForSize(LogId log_id, int64_t bytes_max) const {
  QUIPU_ASSIGN_OR_RETURN(const Offset log_start, LogStart(log_id));
  const ScopedSnapshot snapshot(db_->db(), *place_);
  QUIPU_ASSIGN_OR_RETURN(const Tail tail, ReadTail(log_id, log_start, Offset::Max(), &snapshot));
  const int64_t cut = tail.bytes - bytes_max;
  if (cut <= 0) return log_start;
  Offset from = log_start;
  Offset to = tail.log_end;
  int64_t bytes_to = tail.bytes;
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id, snapshot.get());
  for (index.SeekToFirst(); index.Valid(); index.Next()) {
    if (index.bytes() > cut && index.entry().last_offset >= log_start) {
      to = index.entry().last_offset + 1;
      bytes_to = index.bytes();
      break;
    }
    from = std::max(from, index.entry().last_offset + 1);
  }
  QUIPU_RETURN_IF_ERROR(index.status());

  // Where a batch begins and its size, in [from, to); by the keys, so that damage is no obstacle.
  std::vector<std::pair<Offset, int64_t>> batches;
  LogIterator it(source(), log_id, from, to, &snapshot);
  Offset begins = from;
  for (; it.Valid(); it.Next()) {
    batches.emplace_back(begins, static_cast<int64_t>(it.batch_bytes()));
    begins = it.last_offset() + 1;
  }
  QUIPU_RETURN_IF_ERROR(it.status());
  Offset keep = to;
  bool whole = true;
  for (size_t i = batches.size(); i-- > 0;) {
    bytes_to -= batches[i].second;
    if (bytes_to < cut) {
      whole = false;
      break;
    }
    keep = batches[i].first;
  }
  // Nothing had to be cut after the log start: it stays where it is.
  if (whole && from == log_start) return log_start;
  return std::max(keep, log_start);
}

int64_t RocksdbLogStore::ApproximateBytes(LogId log_id) const {
  const absl::StatusOr<Offset> log_start = LogStart(log_id);
  if (!log_start.ok()) return 0;
  const ScopedSnapshot snapshot(db_->db(), *place_);
  const absl::StatusOr<Tail> tail = ReadTail(log_id, *log_start, Offset::Max(), &snapshot);
  if (!tail.ok()) return 0;
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id, snapshot.get());
  int64_t below = 0;
  bool any_below = false;
  for (index.SeekToFirst(); index.Valid(); index.Next()) {
    if (index.entry().last_offset >= *log_start) {
      // Without an entry below the start this is the first: what came before it is unknown, but
      // at most one step of the index.
      if (!any_below && *log_start > Offset{0})
        below = std::max<int64_t>(0, index.bytes() - kTimeIndexBytes);
      return tail->bytes - below;
    }
    below = index.bytes();
    any_below = true;
  }
  return tail->bytes - (any_below ? below : 0);
}

int64_t RocksdbLogStore::ReclaimableBytes(LogId log_id) const {
  const absl::StatusOr<Offset> log_start = LogStart(log_id);
  if (!log_start.ok()) return 0;
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id, nullptr);
  int64_t first = -1;
  int64_t last = 0;
  for (index.SeekToFirst(); index.Valid(); index.Next()) {
    if (index.entry().last_offset >= *log_start) break;
    if (first < 0) first = index.bytes();
    last = index.bytes();
  }
  return first < 0 ? 0 : last - first + kTimeIndexBytes;
}

}  // namespace quipu
