#include "storage/memory_log_store.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/log_recovery.h"

namespace quipu {

Offset MemoryLogStore::Log::log_end() const {
  const Offset end = batches.empty() ? Offset{0} : batches.rbegin()->first + 1;
  return std::max(end, state.log_start_offset);
}

DamagedBatch MemoryLogStore::PlaceOf(const Log& log, Batches::const_iterator batch) {
  const bool first = batch == log.batches.begin();
  return {.first_offset = first ? Offset{0} : std::prev(batch)->first + 1,
          .last_offset = batch->first};
}

absl::StatusOr<StoredBatch> MemoryLogStore::Checked(LogId log_id, const Log& log,
                                                    Batches::const_iterator batch) {
  absl::StatusOr<StoredBatch> checked = CheckedBatch(log_id, batch->first, batch->second.bytes);
  if (checked.ok()) return checked;
  return WithPlace(checked.status(), PlaceOf(log, batch));
}

absl::StatusOr<const MemoryLogStore::Log*> MemoryLogStore::Find(LogId log_id) const {
  const auto found = logs_.find(log_id);
  if (found == logs_.end()) return UnknownLog(log_id);
  return &found->second;
}

absl::Status MemoryLogStore::Write(const std::vector<LogWrite>& group) {
  for (const LogWrite& write : group) {
    if (!logs_.contains(write.log_id)) return UnknownLog(write.log_id);
  }
  for (const LogWrite& write : group) Apply(logs_.at(write.log_id), write.mutation);
  return absl::OkStatus();
}

void MemoryLogStore::Apply(Log& log, const LogMutation& mutation) {
  if (mutation.truncate_to.has_value()) {
    const Offset end = *mutation.truncate_to;
    log.batches.erase(log.batches.lower_bound(end), log.batches.end());
    log.snapshots.erase(log.snapshots.upper_bound(end), log.snapshots.end());
  }
  for (const StoredBatch& batch : mutation.repairs) {
    const auto found = log.batches.find(batch.last_offset);
    if (found == log.batches.end()) continue;
    if (PlaceOf(log, found).first_offset <= batch.base_offset) found->second = batch;
  }
  for (const StoredBatch& batch : mutation.appends) {
    QUIPU_CHECK(batch.base_offset <= batch.last_offset);
    // A log start may lie inside a batch: an empty log may begin with the whole of it.
    const bool begins = log.batches.empty() && batch.last_offset >= log.log_end();
    QUIPU_CHECK_MSG(begins || batch.base_offset >= log.log_end(), "an append below the log end");
    log.batches.emplace(batch.last_offset, batch);
  }
  if (mutation.epochs.has_value()) log.epochs = *mutation.epochs;
  if (mutation.state.has_value()) {
    log.state = *mutation.state;
    // Trimmed batches are as good as gone, whether or not their space was given back.
    log.batches.erase(log.batches.begin(), log.batches.lower_bound(log.state.log_start_offset));
  }
  if (mutation.producers.has_value()) {
    log.snapshots.insert_or_assign(mutation.producers->as_of, *mutation.producers);
    if (log.snapshots.size() > kProducerSnapshotsKept) log.snapshots.erase(log.snapshots.begin());
  }
}

absl::StatusOr<LogId> MemoryLogStore::CreateLog(PartitionUid uid) {
  const auto found = by_uid_.find(uid);
  if (found != by_uid_.end()) return found->second;
  const LogId log_id = next_log_id_;
  ++next_log_id_;
  by_uid_.emplace(uid, log_id);
  logs_[log_id].uid = uid;
  return log_id;
}

absl::Status MemoryLogStore::DropLog(PartitionUid uid) {
  const auto found = by_uid_.find(uid);
  if (found == by_uid_.end()) return absl::OkStatus();
  logs_.erase(found->second);
  by_uid_.erase(found);
  return absl::OkStatus();
}

std::vector<KnownLog> MemoryLogStore::Logs() const {
  std::vector<KnownLog> logs;
  logs.reserve(by_uid_.size());
  for (const auto& [uid, log_id] : by_uid_) logs.push_back({uid, log_id});
  return logs;
}

std::optional<LogId> MemoryLogStore::FindLog(PartitionUid uid) const {
  const auto found = by_uid_.find(uid);
  if (found == by_uid_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<RecoveredLog> MemoryLogStore::Recover(LogId log_id) const {
  QUIPU_ASSIGN_OR_RETURN(const Log* log, Find(log_id));
  RecoveredLog recovered{.state = log->state,
                         .log_end_offset = log->log_end(),
                         .epochs = log->epochs,
                         .producers = {}};
  std::optional<ProducerSnapshot> snapshot;
  auto after = log->snapshots.upper_bound(recovered.log_end_offset);
  if (after != log->snapshots.begin()) snapshot = std::prev(after)->second;
  ProducerRecovery producers(snapshot);
  const Offset from = std::max(producers.from(), log->state.log_start_offset);
  for (auto it = log->batches.lower_bound(from); it != log->batches.end(); ++it) {
    const absl::StatusOr<StoredBatch> batch = Checked(log_id, *log, it);
    if (!batch.ok()) {
      NameDamaged(PlaceOf(*log, it), recovered);
      continue;
    }
    QUIPU_RETURN_IF_ERROR(producers.Add(log_id, *batch));
  }
  recovered.producers = producers.Finish();
  return recovered;
}

absl::StatusOr<std::vector<StoredBatch>> MemoryLogStore::Read(LogId log_id, Offset from, Offset end,
                                                              size_t bytes_max) const {
  QUIPU_ASSIGN_OR_RETURN(const Log* log, Find(log_id));
  std::vector<StoredBatch> out;
  size_t bytes = 0;
  auto it = log->batches.lower_bound(std::max(from, log->state.log_start_offset));
  for (; it != log->batches.end() && it->first < end; ++it) {
    const size_t size = it->second.bytes.size();
    if (!out.empty() && bytes + size > bytes_max) break;
    absl::StatusOr<StoredBatch> batch = Checked(log_id, *log, it);
    if (!batch.ok()) {
      // What is sound before the damage is served; the next read begins at it and fails.
      if (out.empty()) return batch.status();
      break;
    }
    bytes += size;
    out.push_back(*std::move(batch));
  }
  return out;
}

absl::StatusOr<std::optional<StoredBatch>> MemoryLogStore::FindByTimestamp(
    LogId log_id, TimestampMs timestamp) const {
  QUIPU_ASSIGN_OR_RETURN(const Log* log, Find(log_id));
  auto it = log->batches.lower_bound(log->state.log_start_offset);
  for (; it != log->batches.end(); ++it) {
    if (it->second.max_timestamp < timestamp) continue;
    QUIPU_ASSIGN_OR_RETURN(StoredBatch batch, Checked(log_id, *log, it));
    return std::optional<StoredBatch>(std::move(batch));
  }
  return std::optional<StoredBatch>();
}

absl::StatusOr<std::optional<StoredBatch>> MemoryLogStore::FindLargestTimestamp(LogId log_id,
                                                                                Offset from) const {
  QUIPU_ASSIGN_OR_RETURN(const Log* log, Find(log_id));
  const auto end = log->batches.end();
  auto largest = end;
  for (auto it = log->batches.lower_bound(std::max(from, log->state.log_start_offset)); it != end;
       ++it) {
    const TimestampMs known = largest == end ? kNoTimestamp : largest->second.max_timestamp;
    if (it->second.max_timestamp > known) largest = it;
  }
  if (largest == end) return std::optional<StoredBatch>();
  QUIPU_ASSIGN_OR_RETURN(StoredBatch batch, Checked(log_id, *log, largest));
  return std::optional<StoredBatch>(std::move(batch));
}

absl::StatusOr<Offset> MemoryLogStore::OffsetForSize(LogId log_id, int64_t bytes_max) const {
  QUIPU_ASSIGN_OR_RETURN(const Log* log, Find(log_id));
  int64_t bytes = 0;
  Offset keep = log->log_end();
  for (auto it = log->batches.rbegin(); it != log->batches.rend(); ++it) {
    bytes += static_cast<int64_t>(it->second.bytes.size());
    if (bytes > bytes_max) return keep;
    keep = it->second.base_offset;
  }
  return log->state.log_start_offset;
}

void MemoryLogStore::PublishTrim(LogId log_id, Offset log_start) {
  const auto found = logs_.find(log_id);
  if (found == logs_.end()) return;
  QUIPU_CHECK_MSG(log_start <= found->second.state.log_start_offset,
                  "a trim was published before it was durable");
}

int64_t MemoryLogStore::ApproximateBytes(LogId log_id) const {
  const auto found = logs_.find(log_id);
  if (found == logs_.end()) return 0;
  int64_t bytes = 0;
  for (const auto& [last, batch] : found->second.batches) {
    bytes += static_cast<int64_t>(batch.bytes.size());
  }
  return bytes;
}

absl::Status MemoryLogStore::PutValue(const std::string& name, const std::string& value) {
  values_[name] = value;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> MemoryLogStore::GetValue(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

}  // namespace quipu
