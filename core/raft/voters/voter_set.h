// Who votes, what a majority is, and how the one may become another.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "core/raft/raft_types.h"

namespace quipu {

// Most voters that a quorum ever has.
inline constexpr size_t kVotersMax = 5;

// One configuration of the quorum: its voters, and at most one observer that is about to become
// one (`joining`), which gets the log and counts for nothing. Immutable.
//
// Configurations are entries of the log and change one voter at a time, so that any quorum of one
// and any of the next share a voter [I11] (Raft thesis 4.1).
class VoterSet {
 public:
  // Nobody: what an observer knows before a leader has told it. Never decides anything.
  VoterSet() = default;
  // The voters that a directory was formatted with.
  // kInconsistentVoterSet unless `voters` are one, three or five different ids and directories.
  static absl::StatusOr<VoterSet> CreateFirst(std::vector<RaftVoter> voters);
  // Any other configuration.
  // kInconsistentVoterSet unless `voters` are one to five different ids and directories, and
  // `joining` is none of them (it may have the id of the voter whose place it takes).
  static absl::StatusOr<VoterSet> Create(std::vector<RaftVoter> voters,
                                         std::optional<RaftVoter> joining);
  // As it stands in the log. nullopt when it is damaged or no configuration.
  static std::optional<VoterSet> Parse(absl::string_view bytes);
  [[nodiscard]] std::string Serialize() const;

  // ---- the next configuration; checked by CheckStep ----
  [[nodiscard]] VoterSet WithJoining(std::optional<RaftVoter> joining) const;
  [[nodiscard]] VoterSet WithoutVoter(const RaftIdentity& who) const;
  // The one that joins has become a voter. There is one, and no voter has its id.
  [[nodiscard]] VoterSet WithJoinedVoter() const;
  // kNone when `next` may follow: one thing differs. Either somebody joins, or does so no more; or
  // one voter goes; or the one that joins becomes a voter.
  //   kInvalidRequest        anything else, and a change that changes nothing
  //   kInconsistentVoterSet  no voter would be left
  [[nodiscard]] ErrorCode CheckStep(const VoterSet& next) const;
  // Whether every quorum of one shares a voter with every quorum of the other [I11].
  static bool Overlap(const VoterSet& a, const VoterSet& b);

  // True for a voter under its own directory only (C06).
  [[nodiscard]] bool Contains(const RaftIdentity& who) const;
  [[nodiscard]] bool IsJoining(const RaftIdentity& who) const;
  // Ascending by id.
  [[nodiscard]] const std::vector<RaftVoter>& members() const { return members_; }
  [[nodiscard]] const std::optional<RaftVoter>& joining() const { return joining_; }
  // The voter with this id, whatever its directory. Null: none.
  [[nodiscard]] const RaftVoter* FindId(ControllerId id) const;
  [[nodiscard]] size_t size() const { return members_.size(); }
  // The smallest number of voters of which any two groups share one.
  [[nodiscard]] size_t majority() const { return members_.size() / 2 + 1; }

  // The greatest value that a majority has reached. `values` holds one value per voter.
  template <typename T>
  [[nodiscard]] T ReachedByMajority(std::vector<T> values) const;

  friend bool operator==(const VoterSet&, const VoterSet&) = default;

 private:
  std::vector<RaftVoter> members_;
  std::optional<RaftVoter> joining_;
};

// Answers to one round of votes. The first answer of a voter counts, a duplicate does not (C18).
class VoteTally {
 public:
  enum class Outcome { kOpen, kWon, kLost };

  void Record(const RaftIdentity& voter, bool granted);
  // Of strangers, and of a voter's id under another directory, nothing counts (C06).
  [[nodiscard]] Outcome Count(const VoterSet& voters) const;

 private:
  std::vector<std::pair<RaftIdentity, bool>> votes_;  // at most two for each of five ids
  size_t duplicates_ = 0;                             // none, but for a planted bug
};

// Whether `a` and `b` are one voter: id and directory (PR7, C06).
bool IsSameVoter(const RaftIdentity& a, const RaftIdentity& b);

template <typename T>
T VoterSet::ReachedByMajority(std::vector<T> values) const {
  // Insertion sort, descending: at most five values.
  for (size_t i = 1; i < values.size(); ++i) {
    for (size_t j = i; j > 0 && values[j - 1] < values[j]; --j) std::swap(values[j - 1], values[j]);
  }
  return values[majority() - 1];
}

}  // namespace quipu
