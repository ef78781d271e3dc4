#include "core/raft/quorum.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"

namespace quipu {

absl::StatusOr<VoterSet> VoterSet::Create(std::vector<RaftIdentity> voters) {
  if (voters.size() != 1 && voters.size() != 3 && voters.size() != 5) {
    return ToStatus(ErrorCode::kInconsistentVoterSet,
                    absl::StrCat("a quorum has 1, 3 or 5 voters, not ", voters.size()));
  }
  std::sort(voters.begin(), voters.end(),
            [](const RaftIdentity& a, const RaftIdentity& b) { return a.id < b.id; });
  for (size_t i = 0; i < voters.size(); ++i) {
    if (voters[i].id.value() < 0 || voters[i].directory_id.IsZero()) {
      return ToStatus(ErrorCode::kInconsistentVoterSet, "a voter lacks an id or a directory id");
    }
    for (size_t j = 0; j < i; ++j) {
      if (voters[i].id == voters[j].id || voters[i].directory_id == voters[j].directory_id) {
        return ToStatus(ErrorCode::kInconsistentVoterSet,
                        absl::StrCat("voter ", voters[i].id.value(), " is named twice"));
      }
    }
  }
  VoterSet set;
  set.members_ = std::move(voters);
  return set;
}

bool VoterSet::Contains(const RaftIdentity& who) const {
  return std::find(members_.begin(), members_.end(), who) != members_.end();
}

VoteTally::Outcome VoteTally::Count(const VoterSet& voters) const {
  size_t granted = duplicates_;
  size_t refused = 0;
  for (const RaftIdentity& voter : voters.members()) {
    auto it = votes_.find(voter.id);
    if (it == votes_.end()) continue;
    ++(it->second ? granted : refused);
  }
  if (granted >= voters.majority()) return Outcome::kWon;
  // Those who have not answered can no longer make up a majority.
  if (voters.size() - refused < voters.majority()) return Outcome::kLost;
  return Outcome::kOpen;
}

}  // namespace quipu
