#include "broker/shard/unsynced_tail.h"

#include <algorithm>

#include "base/check.h"

namespace quipu {

void UnsyncedTail::Append(PartitionUid uid, const StoredBatch& batch) {
  Run& run = runs_[uid];
  QUIPU_CHECK(run.entries.empty() || run.entries.back().batch.last_offset < batch.base_offset);
  run.entries.push_back({batch, next_sequence_});
  order_.emplace_back(uid, next_sequence_);
  ++next_sequence_;
  bytes_ += batch.bytes.size();
  unsynced_bytes_ += batch.bytes.size();
  Evict();
}

void UnsyncedTail::OnDurable(PartitionUid uid, Offset durable_end) {
  const auto it = runs_.find(uid);
  if (it == runs_.end()) return;
  Run& run = it->second;
  while (run.synced < run.entries.size() &&
         run.entries[run.synced].batch.last_offset < durable_end) {
    unsynced_bytes_ -= run.entries[run.synced].batch.bytes.size();
    ++run.synced;
  }
  Evict();
}

void UnsyncedTail::PopBack(Run& run) {
  const size_t size = run.entries.back().batch.bytes.size();
  bytes_ -= size;
  if (run.synced < run.entries.size()) {
    unsynced_bytes_ -= size;
  } else {
    --run.synced;
  }
  run.entries.pop_back();
}

void UnsyncedTail::Truncate(PartitionUid uid, Offset log_end) {
  const auto it = runs_.find(uid);
  if (it == runs_.end()) return;
  Run& run = it->second;
  while (!run.entries.empty() && run.entries.back().batch.last_offset >= log_end) PopBack(run);
  if (run.entries.empty()) runs_.erase(it);
}

void UnsyncedTail::Drop(PartitionUid uid) {
  const auto it = runs_.find(uid);
  if (it == runs_.end()) return;
  while (!it->second.entries.empty()) PopBack(it->second);
  runs_.erase(it);
}

void UnsyncedTail::Evict() {
  // Syncs end in the order of the appends, so an unsynced oldest entry means that nothing behind
  // it can go either.
  while (!order_.empty()) {
    const auto [uid, sequence] = order_.front();
    const auto it = runs_.find(uid);
    if (it == runs_.end() || it->second.entries.empty() ||
        it->second.entries.front().sequence != sequence) {
      order_.pop_front();  // truncated or dropped before
      continue;
    }
    if (bytes_ - unsynced_bytes_ <= synced_bytes_max_ || it->second.synced == 0) return;
    bytes_ -= it->second.entries.front().batch.bytes.size();
    it->second.entries.pop_front();
    --it->second.synced;
    if (it->second.entries.empty()) runs_.erase(it);
    order_.pop_front();
  }
}

std::deque<UnsyncedTail::Entry>::const_iterator UnsyncedTail::Find(const Run& run, Offset from) {
  return std::lower_bound(
      run.entries.begin(), run.entries.end(), from,
      [](const Entry& entry, Offset offset) { return entry.batch.last_offset < offset; });
}

bool UnsyncedTail::Covers(PartitionUid uid, Offset from) const {
  const auto it = runs_.find(uid);
  return it != runs_.end() && from >= it->second.entries.front().batch.base_offset;
}

std::vector<StoredBatch> UnsyncedTail::Read(PartitionUid uid, Offset from, Offset end,
                                            size_t bytes_max) const {
  std::vector<StoredBatch> found;
  const auto it = runs_.find(uid);
  QUIPU_CHECK(it != runs_.end());
  size_t bytes = 0;
  for (auto entry = Find(it->second, from); entry != it->second.entries.end(); ++entry) {
    if (entry->batch.last_offset >= end) break;
    if (!found.empty() && bytes + entry->batch.bytes.size() > bytes_max) break;
    bytes += entry->batch.bytes.size();
    found.push_back(entry->batch);
  }
  return found;
}

std::optional<size_t> UnsyncedTail::BytesBetween(PartitionUid uid, Offset from, Offset end) const {
  if (from >= end) return 0;
  if (!Covers(uid, from)) return std::nullopt;
  const Run& run = runs_.find(uid)->second;
  size_t bytes = 0;
  for (auto entry = Find(run, from); entry != run.entries.end(); ++entry) {
    if (entry->batch.last_offset >= end) break;
    bytes += entry->batch.bytes.size();
  }
  return bytes;
}

}  // namespace quipu
