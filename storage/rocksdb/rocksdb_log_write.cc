// The write half of RocksdbLogStore: mutations into one WriteBatch.
#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"
#include "storage/log_recovery.h"
#include "storage/rocksdb/rocksdb_log_iterator.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// Memory of the group's WriteBatch that is kept for the next one.
constexpr size_t kBatchBytesKept = size_t{4} << 20;

}  // namespace

absl::Status RocksdbLogStore::Write(const std::vector<LogWrite>& group) {
  for (const LogWrite& write : group) {
    if (!logs_.contains(write.log_id)) return UnknownLog(write.log_id);
  }
  std::unique_lock<std::mutex> places(places_mutex_, std::defer_lock);
  if (std::any_of(group.begin(), group.end(), [](const LogWrite& write) {
        return write.mutation.truncate_to.has_value() || !write.mutation.repairs.empty();
      })) {
    places.lock();
  }
  batch_.Clear();
  Group building{.batch = batch_, .puts = {}, .changes = {}};
  for (const LogWrite& write : group) {
    // What is to be cut off must be in the database to be found, and batches are put behind
    // everything else of a group: one of the same log is written first. Rare: a follower truncates
    // when it changes its leader.
    const Change& before = building.changes[write.log_id];
    const bool cuts_appended = write.mutation.truncate_to.has_value() && before.put;
    // A repair looks at what is stored, so a cut of the same group must be written first, too.
    if (cuts_appended || (!write.mutation.repairs.empty() && before.truncated)) {
      QUIPU_RETURN_IF_ERROR(CommitGroup(building));
    }
    QUIPU_RETURN_IF_ERROR(AddMutation(write, building));
  }
  return CommitGroup(building);
}

absl::Status RocksdbLogStore::AddMutation(const LogWrite& write, Group& group) {
  const LogMutation& mutation = write.mutation;
  Change& change = group.changes[write.log_id];
  if (mutation.truncate_to.has_value()) {
    QUIPU_RETURN_IF_ERROR(AddTruncation(write.log_id, *mutation.truncate_to, change, group));
    change.truncated = true;
  }
  if (!mutation.repairs.empty()) {
    QUIPU_CHECK_MSG(!mutation.truncate_to.has_value(), "a repair together with a truncation");
    QUIPU_RETURN_IF_ERROR(AddRepairs(write, group));
    change.put = true;
    change.appended = false;  // what follows, follows a repair
  }
  if (!mutation.appends.empty()) {
    QUIPU_RETURN_IF_ERROR(AddAppends(write, group));
    change.put = true;
  }
  if (mutation.epochs.has_value()) QUIPU_RETURN_IF_ERROR(AddEpochs(write, change, group));
  if (mutation.state.has_value()) {
    QUIPU_CHECK_MSG(mutation.state->log_start_offset >= LogStartIn(write.log_id, group),
                    "a log start was lowered");
    change.state = mutation.state;
  }
  if (mutation.producers.has_value()) return AddProducers(write.log_id, *mutation.producers, group);
  return absl::OkStatus();
}

Offset RocksdbLogStore::LogStartIn(LogId log_id, const Group& group) const {
  const auto change = group.changes.find(log_id);
  if (change != group.changes.end() && change->second.state.has_value()) {
    return change->second.state->log_start_offset;
  }
  return logs_.at(log_id).state.log_start_offset;
}

// [5,9] [10,12] [13,20], truncate to 12: [10,12] and [13,20] go, the log ends at 10. Of a run of
// all three, [5,9] gets a key of its own.
absl::Status RocksdbLogStore::AddTruncation(LogId log_id, Offset log_end, Change& change,
                                            Group& group) {
  WriterLog& log = writer_logs_[log_id];
  QUIPU_RETURN_IF_ERROR(DeleteFrom(log_id, log_end, change, group.batch));
  rocksdb::Status status;
  while (!log.snapshots.empty() && log.snapshots.back() > log_end) {
    const auto key = EncodeProducerSnapshotKey(log_id, log.snapshots.back());
    KeepFirst(status, group.batch.Delete(family(kMeta), ToSlice(key.view())));
    log.snapshots.pop_back();
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot truncate a log"));
  QUIPU_ASSIGN_OR_RETURN(log.tail, ReadTail(log_id, LogStartIn(log_id, group), log_end, nullptr));
  return absl::OkStatus();
}

absl::Status RocksdbLogStore::DeleteFrom(LogId log_id, Offset log_end, Change& change,
                                         rocksdb::WriteBatch& batch) {
  rocksdb::Status status;
  LogIterator batches(source(), log_id, log_end, Offset::Max(), nullptr);
  if (batches.place_in_run() > 0) {
    const absl::Span<const RunBatch> kept = batches.run().first(batches.place_in_run());
    const LogKey key = EncodeLogKey(log_id, kept.back().last_offset);
    KeepFirst(status, batch.Put(family(kLog), ToSlice(key.view()), EncodeBatchRun(kept)));
    change.put = true;
  }
  for (; batches.Valid(); batches.NextRun()) {
    const LogKey key = EncodeLogKey(log_id, batches.run_last_offset());
    KeepFirst(status, batch.Delete(family(kLog), ToSlice(key.view())));
  }
  QUIPU_RETURN_IF_ERROR(batches.status());
  // Running maxima and offsets rise together: the entries to go are the last ones.
  TimeIndexIterator index(db_->db(), family(kTimeIndex), log_id, nullptr);
  for (index.SeekToLast(); index.Valid() && index.entry().last_offset >= log_end; index.Prev()) {
    const TimeIndexKey key = EncodeTimeIndexKey(index.entry());
    KeepFirst(status, batch.Delete(family(kTimeIndex), ToSlice(key.view())));
  }
  QUIPU_RETURN_IF_ERROR(index.status());
  return FromRocksdb(status, "cannot truncate a log");
}

absl::Status RocksdbLogStore::AddRepairs(const LogWrite& write, Group& group) {
  const Offset log_start = LogStartIn(write.log_id, group);
  for (const StoredBatch& batch : write.mutation.repairs) {
    const LogIterator place(source(), write.log_id, batch.last_offset, batch.last_offset + 1,
                            nullptr);
    QUIPU_RETURN_IF_ERROR(place.status());
    if (!place.Valid() || batch.last_offset < log_start) continue;
    const Offset first = place.Place().first_offset;
    if (batch.base_offset < first) continue;
    // A run that cannot be read is one damaged batch: what does not stand for all of it, is none.
    const bool alone = IsBatchAlone(place.run_value()) || !place_->HoldsRuns();
    if (!alone && place.run().empty() && batch.base_offset != first) continue;
    QUIPU_RETURN_IF_ERROR(TakeApart(write.log_id, place.run(), group.batch));
    group.puts.push_back({.log_id = write.log_id, .batch = batch});
  }
  return absl::OkStatus();
}

absl::Status RocksdbLogStore::TakeApart(LogId log_id, absl::Span<const RunBatch> run,
                                        rocksdb::WriteBatch& batch) {
  rocksdb::Status status;
  for (const auto& [last_offset, pointer] : run) {
    const LogKey key = EncodeLogKey(log_id, last_offset);
    KeepFirst(status, batch.Put(family(kLog), ToSlice(key.view()), EncodeBatchPointer(pointer)));
  }
  return FromRocksdb(status, "cannot take a run of batches apart");
}

absl::Status RocksdbLogStore::AddAppends(const LogWrite& write, Group& group) {
  const LogId log_id = write.log_id;
  WriterLog& log = writer_logs_[log_id];
  const Offset log_start = LogStartIn(log_id, group);
  if (!log.tail.has_value()) {
    QUIPU_ASSIGN_OR_RETURN(log.tail, ReadTail(log_id, log_start, Offset::Max(), nullptr));
  }
  Tail& tail = *log.tail;
  tail.log_end = std::max(tail.log_end, log_start);
  rocksdb::Status status;
  for (const StoredBatch& batch : write.mutation.appends) {
    QUIPU_CHECK(batch.base_offset <= batch.last_offset);
    // A log start may lie inside a batch: an empty log may begin with the whole of it.
    const bool begins = tail.log_end == log_start && batch.last_offset >= log_start;
    QUIPU_CHECK_MSG(begins || batch.base_offset >= tail.log_end, "an append below the log end");
    Change& change = group.changes[log_id];
    group.puts.push_back({.log_id = log_id, .batch = batch, .follows = change.appended});
    change.appended = true;
    tail.log_end = batch.last_offset + 1;
    tail.running_max = std::max(tail.running_max, batch.max_timestamp);
    tail.bytes += static_cast<int64_t>(batch.bytes.size());
    if (tail.bytes - tail.bytes_at_index < kTimeIndexBytes) continue;
    tail.bytes_at_index = tail.bytes;
    const TimeIndexKey index_key = EncodeTimeIndexKey(
        {.log_id = log_id, .running_max = tail.running_max, .last_offset = batch.last_offset});
    KeepFirst(status, group.batch.Put(family(kTimeIndex), ToSlice(index_key.view()),
                                      ToSlice(EncodeLogBytes(tail.bytes).view())));
  }
  return FromRocksdb(status, "cannot append to a log");
}

// Writes what differs: lists of epochs share their beginning, except after a trim.
absl::Status RocksdbLogStore::AddEpochs(const LogWrite& write, Change& change, Group& group) {
  const std::vector<EpochEntry>& before =
      change.epochs != nullptr ? *change.epochs : logs_.at(write.log_id).epochs;
  const std::vector<EpochEntry>& after = *write.mutation.epochs;
  size_t same = 0;
  while (same < before.size() && same < after.size() && before[same] == after[same]) ++same;
  rocksdb::Status status;
  for (size_t i = same; i < before.size(); ++i) {
    const auto key = EncodeEpochKey(write.log_id, before[i].epoch);
    KeepFirst(status, group.batch.Delete(family(kMeta), ToSlice(key.view())));
  }
  for (size_t i = same; i < after.size(); ++i) {
    const auto key = EncodeEpochKey(write.log_id, after[i].epoch);
    KeepFirst(status, group.batch.Put(family(kMeta), ToSlice(key.view()),
                                      EncodeEpochValue(after[i].start_offset)));
  }
  change.epochs = &after;
  return FromRocksdb(status, "cannot write epochs");
}

absl::Status RocksdbLogStore::AddProducers(LogId log_id, const ProducerSnapshot& snapshot,
                                           Group& group) {
  std::vector<Offset>& kept = writer_logs_[log_id].snapshots;
  const auto place = std::lower_bound(kept.begin(), kept.end(), snapshot.as_of);
  if (place == kept.end() || *place != snapshot.as_of) kept.insert(place, snapshot.as_of);
  const auto key = EncodeProducerSnapshotKey(log_id, snapshot.as_of);
  rocksdb::Status status =
      group.batch.Put(family(kMeta), ToSlice(key.view()), EncodeProducerSnapshot(snapshot));
  if (kept.size() > kProducerSnapshotsKept) {
    const auto oldest = EncodeProducerSnapshotKey(log_id, kept.front());
    KeepFirst(status, group.batch.Delete(family(kMeta), ToSlice(oldest.view())));
    kept.erase(kept.begin());
  }
  return FromRocksdb(status, "cannot write a producer snapshot");
}

absl::Status RocksdbLogStore::CommitGroup(Group& group) {
  rocksdb::Status status;
  for (const auto& [log_id, change] : group.changes) {
    if (!change.state.has_value()) continue;
    const auto key = EncodePartitionKey(logs_.at(log_id).uid);
    KeepFirst(status,
              group.batch.Put(family(kMeta), ToSlice(key.view()),
                              EncodePartitionValue({.log_id = log_id, .state = *change.state})));
  }
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot write a partition's state"));
  if (group.batch.Count() == 0 && group.puts.empty()) return absl::OkStatus();
  QUIPU_RETURN_IF_ERROR(db_->Write(group.batch, group.puts));
  if (cleaner_ != nullptr) cleaner_->OnWrite();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [log_id, change] : group.changes) {
      Log& log = logs_.at(log_id);
      if (change.state.has_value()) log.state = *change.state;
      if (change.epochs != nullptr) log.epochs = *change.epochs;
    }
  }
  const bool large = group.batch.GetDataSize() > kBatchBytesKept;
  group.changes.clear();
  group.puts.clear();
  group.batch.Clear();
  if (large) batch_ = rocksdb::WriteBatch();
  return absl::OkStatus();
}

}  // namespace quipu
