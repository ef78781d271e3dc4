// Who votes, and what a majority is.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/planted_bug.h"
#include "core/raft/raft_types.h"

namespace quipu {

// The voters, fixed when the cluster is formatted. Every decision asks this class, so a change of
// the quorum at run time (Raft thesis 4) would become a second set in here and nowhere else [I11].
class VoterSet {
 public:
  // kInconsistentVoterSet unless `voters` are one, three or five different ids and directories.
  static absl::StatusOr<VoterSet> Create(std::vector<RaftIdentity> voters);

  // True for a voter under its own directory only (C06).
  [[nodiscard]] bool Contains(const RaftIdentity& who) const;
  [[nodiscard]] const std::vector<RaftIdentity>& members() const { return members_; }
  [[nodiscard]] size_t size() const { return members_.size(); }
  // The smallest number of voters of which any two groups share one.
  [[nodiscard]] size_t majority() const { return members_.size() / 2 + 1; }

  // The greatest value that a majority has reached. `values` holds one value per voter.
  template <typename T>
  [[nodiscard]] T ReachedByMajority(std::vector<T> values) const;

 private:
  std::vector<RaftIdentity> members_;  // ascending by id
};

// Answers to one round of votes. The first answer of a voter counts, a duplicate does not (C18).
class VoteTally {
 public:
  enum class Outcome { kOpen, kWon, kLost };

  void Record(ControllerId voter, bool granted) {
    const bool again = !votes_.try_emplace(voter, granted).second;
    if (again && granted && IsPlanted(PlantedBug::kDuplicateVoteCounted)) ++duplicates_;
  }
  [[nodiscard]] Outcome Count(const VoterSet& voters) const;

 private:
  absl::btree_map<ControllerId, bool> votes_;
  size_t duplicates_ = 0;  // always, but for a planted bug
};

template <typename T>
T VoterSet::ReachedByMajority(std::vector<T> values) const {
  // Insertion sort, descending: at most five values.
  for (size_t i = 1; i < values.size(); ++i) {
    for (size_t j = i; j > 0 && values[j - 1] < values[j]; --j) std::swap(values[j - 1], values[j]);
  }
  return values[majority() - 1];
}

}  // namespace quipu
