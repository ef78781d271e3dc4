// The configurations of the quorum that a log holds.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "core/raft/voters/voter_set.h"

namespace quipu {

// A configuration is in force from the moment its entry is in the log, committed or not, and no
// more when the entry is cut off (Raft thesis 4.1). The last one is what counts votes and
// acknowledgements.
//
//   format's voters, or     entry a     entry b      b is in force; a is what was in force when the
//   the snapshot's        | ... |a| ... |b| ...      log ended before b
class VoterHistory {
 public:
  // `first`: the voters that the directory was formatted with, in force while the log and the
  // snapshot say nothing else. An observer's is empty.
  explicit VoterHistory(VoterSet first) : first_(std::move(first)), base_(first_) {}

  [[nodiscard]] const VoterSet& current() const {
    return entries_.empty() ? base_ : entries_.back().voters;
  }
  // The entry that `current` stands in; 0 when it is the format's or the snapshot's.
  [[nodiscard]] LogIndex index() const {
    return entries_.empty() ? LogIndex(0) : entries_.back().index;
  }
  // What is in force for a log that ends at `last`, which is not below the snapshot.
  [[nodiscard]] const VoterSet& AsOf(LogIndex last) const;
  // Whether `who` votes in what was in force for a log that ended at `last`, or in anything since.
  [[nodiscard]] bool NamedSince(LogIndex last, const RaftIdentity& who) const;
  // As AsOf, for a snapshot. Empty: the format's, no entry has said anything else yet.
  [[nodiscard]] std::string SerializedAsOf(LogIndex last) const;
  // Counts the changes of `current`, for whoever follows it.
  [[nodiscard]] uint64_t version() const { return version_; }

  // An entry with a configuration has been appended at `index`, behind all others.
  void Append(LogIndex index, VoterSet voters);
  // Entries with index >= `from` are cut off.
  void TruncateFrom(LogIndex from);
  // A snapshot as of `last` has taken the place of the log up to there.
  void CompactTo(LogIndex last);
  // A snapshot has taken the place of everything. `snapshot_voters` is as SerializedAsOf gives it.
  // False: it is damaged, and nothing happened.
  bool ResetTo(absl::string_view snapshot_voters);

 private:
  struct Entry {
    LogIndex index;
    VoterSet voters;
  };

  VoterSet first_;
  VoterSet base_;             // below the first of `entries_`
  bool base_logged_ = false;  // `base_` stood in the log once
  std::deque<Entry> entries_;
  uint64_t version_ = 1;
};

}  // namespace quipu
