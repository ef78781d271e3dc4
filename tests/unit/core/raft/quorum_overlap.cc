#include "tests/unit/core/raft/quorum_overlap.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

bool MayVoteFor(const QuorumMember& voter, const QuorumMember& candidate) {
  if (voter.last_term != candidate.last_term) return voter.last_term < candidate.last_term;
  return voter.last_index <= candidate.last_index;
}

bool MayDecide(const QuorumMember& holder, const std::vector<QuorumMember>& members) {
  if (holder.voters.size() == 0) return false;
  size_t votes = 0;
  for (const RaftVoter& voter : holder.voters.members()) {
    for (const QuorumMember& member : members) {
      if (member.identity == voter.identity && MayVoteFor(member, holder)) ++votes;
    }
  }
  return votes >= holder.voters.majority();
}

}  // namespace

std::string FindDisjointQuorums(const std::vector<QuorumMember>& members) {
  for (size_t i = 0; i < members.size(); ++i) {
    if (!MayDecide(members[i], members)) continue;
    for (size_t k = 0; k < i; ++k) {
      if (!MayDecide(members[k], members)) continue;
      if (VoterSet::Overlap(members[i].voters, members[k].voters)) continue;
      return absl::StrCat("controllers ", members[k].identity.id.value(), " and ",
                          members[i].identity.id.value(),
                          " may both be elected, by quorums that share no voter");
    }
  }
  return "";
}

}  // namespace quipu
