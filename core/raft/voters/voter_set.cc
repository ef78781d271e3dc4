#include "core/raft/voters/voter_set.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "proto/message/raft.pb.h"

namespace quipu {
namespace {

constexpr size_t kEndpointBytesMax = 300;

void Fill(const RaftVoter& voter, message::RaftVoters::Voter& out) {
  out.set_id(voter.identity.id.value());
  out.set_directory_id(voter.identity.directory_id.ToBytes());
  out.set_endpoint(voter.endpoint);
}

std::optional<RaftVoter> Read(const message::RaftVoters::Voter& in) {
  const std::optional<Uuid> directory = Uuid::FromBytes(in.directory_id());
  if (!directory || in.endpoint().size() > kEndpointBytesMax) return std::nullopt;
  return RaftVoter{{ControllerId(in.id()), *directory}, in.endpoint()};
}

bool IsComplete(const RaftVoter& voter) {
  return voter.identity.id.value() >= 0 && !voter.identity.directory_id.IsZero();
}

}  // namespace

bool IsSameVoter(const RaftIdentity& a, const RaftIdentity& b) {
  if (IsPlanted(PlantedBug::kSameIdNewDiskVotes)) return a.id == b.id;
  return a == b;
}

absl::StatusOr<VoterSet> VoterSet::CreateFirst(std::vector<RaftVoter> voters) {
  if (voters.size() != 1 && voters.size() != 3 && voters.size() != 5) {
    return ToStatus(ErrorCode::kInconsistentVoterSet,
                    absl::StrCat("a quorum has 1, 3 or 5 voters, not ", voters.size()));
  }
  return Create(std::move(voters), std::nullopt);
}

absl::StatusOr<VoterSet> VoterSet::Create(std::vector<RaftVoter> voters,
                                          std::optional<RaftVoter> joining) {
  if (voters.empty() || voters.size() > kVotersMax) {
    return ToStatus(ErrorCode::kInconsistentVoterSet,
                    absl::StrCat("a quorum has 1 to ", kVotersMax, " voters, not ", voters.size()));
  }
  std::sort(voters.begin(), voters.end(),
            [](const RaftVoter& a, const RaftVoter& b) { return a.identity.id < b.identity.id; });
  for (size_t i = 0; i < voters.size(); ++i) {
    if (!IsComplete(voters[i])) {
      return ToStatus(ErrorCode::kInconsistentVoterSet, "a voter lacks an id or a directory id");
    }
    for (size_t j = 0; j < i; ++j) {
      if (voters[i].identity.id == voters[j].identity.id ||
          voters[i].identity.directory_id == voters[j].identity.directory_id) {
        return ToStatus(ErrorCode::kInconsistentVoterSet,
                        absl::StrCat("voter ", voters[i].identity.id.value(), " is named twice"));
      }
    }
  }
  if (joining && !IsComplete(*joining)) {
    return ToStatus(ErrorCode::kInconsistentVoterSet, "who joins lacks an id or a directory id");
  }
  for (const RaftVoter& voter : voters) {
    if (joining && voter.identity.directory_id == joining->identity.directory_id) {
      return ToStatus(ErrorCode::kInconsistentVoterSet, "a voter cannot join once more");
    }
  }
  VoterSet set;
  set.members_ = std::move(voters);
  set.joining_ = std::move(joining);
  return set;
}

std::optional<VoterSet> VoterSet::Parse(absl::string_view bytes) {
  message::RaftVoters in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  std::vector<RaftVoter> voters;
  for (const message::RaftVoters::Voter& one : in.voters()) {
    std::optional<RaftVoter> voter = Read(one);
    if (!voter) return std::nullopt;
    voters.push_back(*std::move(voter));
  }
  std::optional<RaftVoter> joining;
  if (in.has_joining()) {
    joining = Read(in.joining());
    if (!joining) return std::nullopt;
  }
  absl::StatusOr<VoterSet> set = Create(std::move(voters), std::move(joining));
  if (!set.ok()) return std::nullopt;
  return *std::move(set);
}

std::string VoterSet::Serialize() const {
  message::RaftVoters out;
  for (const RaftVoter& voter : members_) Fill(voter, *out.add_voters());
  if (joining_) Fill(*joining_, *out.mutable_joining());
  return out.SerializeAsString();
}

VoterSet VoterSet::WithJoining(std::optional<RaftVoter> joining) const {
  VoterSet next = *this;
  next.joining_ = std::move(joining);
  return next;
}

VoterSet VoterSet::WithoutVoter(const RaftIdentity& who) const {
  VoterSet next = *this;
  std::erase_if(next.members_, [&who](const RaftVoter& voter) { return voter.identity == who; });
  return next;
}

VoterSet VoterSet::WithJoinedVoter() const {
  QUIPU_CHECK(joining_.has_value());
  std::vector<RaftVoter> voters = members_;
  voters.push_back(*joining_);
  absl::StatusOr<VoterSet> next = Create(std::move(voters), std::nullopt);
  QUIPU_CHECK_MSG(next.ok(), next.status().ToString());
  return *std::move(next);
}

ErrorCode VoterSet::CheckStep(const VoterSet& next) const {
  if (next.members_.empty()) return ErrorCode::kInconsistentVoterSet;
  if (Parse(next.Serialize()) != next) return ErrorCode::kInvalidRequest;
  if (next.members_ == members_) {
    return next.joining_ == joining_ ? ErrorCode::kInvalidRequest : ErrorCode::kNone;
  }
  if (next.size() + 1 == size()) {
    if (next.joining_ != joining_) return ErrorCode::kInvalidRequest;
    for (const RaftVoter& voter : next.members_) {
      if (std::find(members_.begin(), members_.end(), voter) == members_.end()) {
        return ErrorCode::kInvalidRequest;
      }
    }
    return ErrorCode::kNone;
  }
  if (!joining_ || FindId(joining_->identity.id) != nullptr || size() == kVotersMax) {
    return ErrorCode::kInvalidRequest;
  }
  return next == WithJoinedVoter() ? ErrorCode::kNone : ErrorCode::kInvalidRequest;
}

bool VoterSet::Overlap(const VoterSet& a, const VoterSet& b) {
  if (a.members_.empty() || b.members_.empty()) return true;  // nobody decides nothing
  size_t shared = 0;
  for (const RaftVoter& voter : a.members_) {
    const bool in_both =
        std::any_of(b.members_.begin(), b.members_.end(),
                    [&voter](const RaftVoter& other) { return other.identity == voter.identity; });
    shared += in_both ? 1 : 0;
  }
  // Each side takes as many as it can of those that are its alone.
  const size_t only_a = a.size() - shared;
  const size_t only_b = b.size() - shared;
  const size_t a_needs = a.majority() > only_a ? a.majority() - only_a : 0;
  const size_t b_needs = b.majority() > only_b ? b.majority() - only_b : 0;
  return a_needs + b_needs > shared;
}

bool VoterSet::Contains(const RaftIdentity& who) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&who](const RaftVoter& voter) { return IsSameVoter(voter.identity, who); });
}

bool VoterSet::IsJoining(const RaftIdentity& who) const {
  return joining_ && joining_->identity == who;
}

const RaftVoter* VoterSet::FindId(ControllerId id) const {
  for (const RaftVoter& voter : members_) {
    if (voter.identity.id == id) return &voter;
  }
  return nullptr;
}

void VoteTally::Record(const RaftIdentity& voter, bool granted) {
  for (const auto& [who, vote] : votes_) {
    if (!IsSameVoter(who, voter)) continue;
    if (granted && IsPlanted(PlantedBug::kDuplicateVoteCounted)) ++duplicates_;
    return;
  }
  if (votes_.size() < 2 * kVotersMax) votes_.emplace_back(voter, granted);
}

VoteTally::Outcome VoteTally::Count(const VoterSet& voters) const {
  size_t granted = duplicates_;
  size_t refused = 0;
  for (const auto& [who, vote] : votes_) {
    if (voters.Contains(who)) ++(vote ? granted : refused);
  }
  if (voters.size() > 0 && granted >= voters.majority()) return Outcome::kWon;
  // Those who have not answered can no longer make up a majority.
  if (voters.size() - refused < voters.majority()) return Outcome::kLost;
  return Outcome::kOpen;
}

}  // namespace quipu
