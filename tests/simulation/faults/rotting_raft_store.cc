#include "tests/simulation/faults/rotting_raft_store.h"

#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"

namespace quipu::sim {
namespace {

void FlipBit(std::string& bytes, Rng& rng) {
  char& byte = bytes[rng.Below(bytes.size())];
  byte = static_cast<char>(byte ^ (1 << rng.Below(8)));
}

}  // namespace

absl::Status RottingRaftStore::Write(const RaftWrite& write) {
  QUIPU_RETURN_IF_ERROR(store_.Write(write));
  if (write.snapshot) rotten_snapshot_.reset();
  if (write.truncate_from) {
    rotten_entries_.erase(rotten_entries_.lower_bound(*write.truncate_from), rotten_entries_.end());
  }
  if (write.compact_to) {
    rotten_entries_.erase(rotten_entries_.begin(), rotten_entries_.upper_bound(*write.compact_to));
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredRaft> RottingRaftStore::Load() const {
  QUIPU_ASSIGN_OR_RETURN(RecoveredRaft recovered, store_.Load());
  if (rotten_snapshot_) {
    const std::optional<RaftSnapshot> snapshot = DecodeRaftSnapshot(*rotten_snapshot_);
    if (!snapshot) return ToStatus(ErrorCode::kCorruptMessage, "the snapshot is damaged");
    recovered.snapshot->data = snapshot->data;
  }
  for (message::RaftEntry& entry : recovered.entries) {
    const auto rotten = rotten_entries_.find(LogIndex(entry.index()));
    if (rotten == rotten_entries_.end()) continue;
    std::optional<message::RaftEntry> read = DecodeRaftEntry(rotten->second);
    if (!read || read->index() != entry.index()) {
      return ToStatus(ErrorCode::kCorruptMessage, "an entry is damaged");
    }
    entry = *std::move(read);
  }
  return recovered;
}

bool RottingRaftStore::RotEntry(Rng& rng) {
  const absl::StatusOr<RecoveredRaft> whole = store_.Load();
  if (!whole.ok() || whole->entries.empty()) return false;
  const message::RaftEntry& entry = whole->entries[rng.Below(whole->entries.size())];
  std::string bytes = EncodeRaftEntry(entry);
  FlipBit(bytes, rng);
  rotten_entries_[LogIndex(entry.index())] = std::move(bytes);
  return true;
}

bool RottingRaftStore::RotSnapshot(Rng& rng) {
  const absl::StatusOr<RecoveredRaft> whole = store_.Load();
  if (!whole.ok() || !whole->snapshot) return false;
  rotten_snapshot_ = EncodeRaftSnapshot(*whole->snapshot);
  FlipBit(*rotten_snapshot_, rng);
  return true;
}

}  // namespace quipu::sim
