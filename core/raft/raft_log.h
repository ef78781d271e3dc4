// The log of one replica in memory: the entries behind its snapshot.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "core/raft/raft_types.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Bytes that an entry counts for in every limit: its data and a fixed part for the rest.
inline size_t RaftEntryBytes(size_t data_bytes) {
  constexpr size_t kOverheadBytes = 32;  // index, term and kind, rounded up
  return data_bytes + kOverheadBytes;
}
inline size_t RaftEntryBytes(const message::RaftEntry& entry) {
  return RaftEntryBytes(entry.data().size());
}

//   snapshot_index        last_index
//        |                    |
//   [....s] [s+1] [s+2] ... [last]       terms never fall from left to right
//
// The log starts at its snapshot [I12]: (snapshot_index, snapshot_term) stand for everything
// compacted. Knows nothing of roles or of what is durable.
class RaftLog {
 public:
  // Entries at or below the snapshot are dropped.
  //   kCorruptMessage  a gap, a falling term, or entries that do not reach down to the snapshot
  static absl::StatusOr<RaftLog> Create(LogIndex snapshot_index, Term snapshot_term,
                                        std::vector<message::RaftEntry> entries);

  [[nodiscard]] LogIndex snapshot_index() const { return snapshot_index_; }
  [[nodiscard]] Term snapshot_term() const { return snapshot_term_; }
  // Inclusive; the snapshot's index when there are no entries.
  [[nodiscard]] LogIndex last_index() const { return snapshot_index_ + entries_.size(); }
  [[nodiscard]] Term last_term() const;
  // nullopt when `index` is compacted away or beyond the end.
  [[nodiscard]] std::optional<Term> TermAt(LogIndex index) const;
  // `index` in (snapshot_index, last_index].
  [[nodiscard]] const message::RaftEntry& At(LogIndex index) const;
  [[nodiscard]] const std::deque<message::RaftEntry>& entries() const { return entries_; }

  // Whether a log that ends at (index, term) is at least as complete as this one (Raft 5.4.1).
  [[nodiscard]] bool IsUpToDate(LogIndex index, Term term) const;

  // Entries from `first` up to `bytes_max`, one at least when there is one.
  [[nodiscard]] std::vector<message::RaftEntry> Slice(LogIndex first, size_t bytes_max) const;

  // The greatest index at or below `index` whose term is at most `term`: the last place where a
  // log with (index, term) could still agree with this one. Never below the snapshot. Lets a leader
  // skip a whole term of conflicting entries in one round (Raft 5.3).
  [[nodiscard]] LogIndex LastAgreeable(LogIndex index, Term term) const;

  // `entry` is numbered last_index + 1, its term at least last_term.
  void Append(message::RaftEntry entry);
  // Entries at `from` and above go. `from` > snapshot_index.
  void TruncateFrom(LogIndex from);
  // Entries at `to` and below go; `to` in [snapshot_index, last_index].
  void CompactTo(LogIndex to);
  // Nothing is left but a snapshot that ends at (index, term).
  void ResetTo(LogIndex index, Term term);

 private:
  RaftLog(LogIndex snapshot_index, Term snapshot_term)
      : snapshot_index_(snapshot_index), snapshot_term_(snapshot_term) {}

  LogIndex snapshot_index_;
  Term snapshot_term_;
  std::deque<message::RaftEntry> entries_;
};

}  // namespace quipu
