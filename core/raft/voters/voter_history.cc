#include "core/raft/voters/voter_history.h"

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace quipu {

const VoterSet& VoterHistory::AsOf(LogIndex last) const {
  const VoterSet* found = &base_;
  for (const Entry& entry : entries_) {
    if (entry.index > last) break;
    found = &entry.voters;
  }
  return *found;
}

bool VoterHistory::NamedSince(LogIndex last, const RaftIdentity& who) const {
  if (AsOf(last).Contains(who)) return true;
  return std::any_of(entries_.begin(), entries_.end(), [last, &who](const Entry& entry) {
    return entry.index > last && entry.voters.Contains(who);
  });
}

std::string VoterHistory::SerializedAsOf(LogIndex last) const {
  const bool from_log = base_logged_ || (!entries_.empty() && entries_.front().index <= last);
  return from_log ? AsOf(last).Serialize() : std::string();
}

void VoterHistory::Append(LogIndex index, VoterSet voters) {
  QUIPU_CHECK(entries_.empty() || index > entries_.back().index);
  entries_.push_back({index, std::move(voters)});
  ++version_;
}

void VoterHistory::TruncateFrom(LogIndex from) {
  while (!entries_.empty() && entries_.back().index >= from) {
    entries_.pop_back();
    ++version_;
  }
}

void VoterHistory::CompactTo(LogIndex last) {
  while (!entries_.empty() && entries_.front().index <= last) {
    base_ = std::move(entries_.front().voters);
    base_logged_ = true;
    entries_.pop_front();
  }
}

bool VoterHistory::ResetTo(absl::string_view snapshot_voters) {
  VoterSet base = first_;
  if (!snapshot_voters.empty()) {
    std::optional<VoterSet> parsed = VoterSet::Parse(snapshot_voters);
    if (!parsed) return false;
    base = *std::move(parsed);
  }
  if (base != current()) ++version_;
  base_ = std::move(base);
  base_logged_ = !snapshot_voters.empty();
  entries_.clear();
  return true;
}

}  // namespace quipu
