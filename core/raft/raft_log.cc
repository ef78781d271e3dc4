#include "core/raft/raft_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"

namespace quipu {
absl::StatusOr<RaftLog> RaftLog::Create(LogIndex snapshot_index, Term snapshot_term,
                                        std::vector<message::RaftEntry> entries) {
  RaftLog log(snapshot_index, snapshot_term);
  uint64_t former_index = 0;
  for (message::RaftEntry& entry : entries) {
    if (former_index != 0 && entry.index() != former_index + 1) {
      return ToStatus(ErrorCode::kCorruptMessage,
                      absl::StrCat("entry ", entry.index(), " follows ", former_index));
    }
    former_index = entry.index();
    if (entry.index() <= snapshot_index.value()) continue;
    if (entry.index() != log.last_index().value() + 1) {
      return ToStatus(ErrorCode::kCorruptMessage,
                      absl::StrCat("the log starts at ", entry.index(),
                                   " but the snapshot ends at ", snapshot_index.value()));
    }
    if (entry.term() < log.last_term().value() || entry.term() == 0) {
      return ToStatus(ErrorCode::kCorruptMessage,
                      absl::StrCat("entry ", entry.index(), " has term ", entry.term(), " after ",
                                   log.last_term().value()));
    }
    log.entries_.push_back(std::move(entry));
  }
  return log;
}

Term RaftLog::last_term() const {
  return entries_.empty() ? snapshot_term_ : Term(entries_.back().term());
}

std::optional<Term> RaftLog::TermAt(LogIndex index) const {
  if (index == snapshot_index_) return snapshot_term_;
  if (index < snapshot_index_ || index > last_index()) return std::nullopt;
  return Term(At(index).term());
}

const message::RaftEntry& RaftLog::At(LogIndex index) const {
  QUIPU_CHECK(index > snapshot_index_);
  QUIPU_CHECK(index <= last_index());
  return entries_[index - snapshot_index_ - 1];
}

bool RaftLog::IsUpToDate(LogIndex index, Term term) const {
  return term > last_term() || (term == last_term() && index >= last_index());
}

std::vector<message::RaftEntry> RaftLog::Slice(LogIndex first, size_t bytes_max) const {
  std::vector<message::RaftEntry> slice;
  size_t bytes = 0;
  for (LogIndex index = first; index <= last_index(); ++index) {
    const message::RaftEntry& entry = At(index);
    bytes += RaftEntryBytes(entry);
    if (!slice.empty() && bytes > bytes_max) break;
    slice.push_back(entry);
  }
  return slice;
}

LogIndex RaftLog::LastAgreeable(LogIndex index, Term term) const {
  LogIndex candidate = std::min(index, last_index());
  while (candidate > snapshot_index_ && At(candidate).term() > term.value()) {
    candidate = candidate - 1;
  }
  return std::max(candidate, snapshot_index_);
}

void RaftLog::Append(message::RaftEntry entry) {
  QUIPU_CHECK(entry.index() == last_index().value() + 1);
  QUIPU_CHECK(entry.term() >= last_term().value());
  entries_.push_back(std::move(entry));
}

void RaftLog::TruncateFrom(LogIndex from) {
  QUIPU_CHECK(from > snapshot_index_);
  while (last_index() >= from) entries_.pop_back();
}

void RaftLog::CompactTo(LogIndex to) {
  std::optional<Term> term = TermAt(to);
  QUIPU_CHECK(term.has_value());
  while (!entries_.empty() && entries_.front().index() <= to.value()) entries_.pop_front();
  snapshot_index_ = to;
  snapshot_term_ = *term;
}

void RaftLog::ResetTo(LogIndex index, Term term) {
  entries_.clear();
  snapshot_index_ = index;
  snapshot_term_ = term;
}

}  // namespace quipu
