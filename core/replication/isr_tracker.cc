#include "core/replication/isr_tracker.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {
namespace {

// How long a proposal may stay without any answer before it is sent again.
constexpr Duration kProposalRepeatDelay = std::chrono::seconds(3);
// Pause after an answer that leaves the outcome open.
constexpr Duration kUnknownOutcomeDelay = std::chrono::milliseconds(200);

bool Contains(const std::vector<BrokerId>& list, BrokerId broker) {
  return std::find(list.begin(), list.end(), broker) != list.end();
}

// Whether the answer says for certain that the proposal was not taken and never will be.
bool IsRefusal(ErrorCode error) {
  return error == ErrorCode::kIneligibleReplica || error == ErrorCode::kOperationNotAttempted ||
         error == ErrorCode::kInvalidRequest;
}

bool MayJoin(const FollowerProgress& follower, const IsrTracker::LogView& log) {
  const ReplicaInfo& info = follower.info;
  if (info.fenced || info.in_controlled_shutdown || info.disk_stalled) return false;
  if (info.epoch == kNoBrokerEpoch || follower.broker_epoch != info.epoch) return false;
  return follower.matched && !follower.wants_producers &&
         follower.durable_end >= std::max(log.high_watermark, follower.joins_at) &&
         (follower.durable_end >= log.epoch_start || IsPlanted(PlantedBug::kJoinWithoutEpochStart));
}

bool Lags(const FollowerProgress& follower, const IsrTracker::LogView& log, Duration lag_max,
          Instant now) {
  if (follower.matched && follower.durable_end >= log.log_end) return false;
  return now - follower.last_caught_up > lag_max;
}

}  // namespace

void IsrTracker::OnImage(PartitionEpoch partition_epoch, const std::vector<BrokerId>& isr,
                         BrokerEpoch self_epoch) {
  QUIPU_INVARIANT("I32", partition_epoch >= partition_epoch_);
  if (open_ && open_->proposal.partition_epoch < partition_epoch) open_.reset();
  partition_epoch_ = partition_epoch;
  self_epoch_ = self_epoch;
  isr_ = isr;
  UpdateMaximal();
}

std::optional<IsrProposal> IsrTracker::ProposeExpand(const std::vector<FollowerProgress>& followers,
                                                     const LogView& log, Now now) {
  if (open_) return std::nullopt;
  std::vector<BrokerId> members = isr_;
  // Those that are being drained come last, and only while the minimum is not reached without them:
  // the controller would refuse the whole proposal.
  for (const bool draining : {false, true}) {
    for (const FollowerProgress& follower : followers) {
      if (follower.info.draining != draining || InIsr(follower.info.broker)) continue;
      if (draining && members.size() >= log.min_isr) continue;
      if (MayJoin(follower, log)) members.push_back(follower.info.broker);
    }
  }
  if (members.size() == isr_.size()) return std::nullopt;
  return Propose(members, followers, now);
}

std::optional<IsrProposal> IsrTracker::ProposeShrink(const std::vector<FollowerProgress>& followers,
                                                     const LogView& log, Duration lag_max,
                                                     Now now) {
  if (open_) return std::nullopt;
  std::vector<BrokerId> members = isr_;
  std::erase_if(members, [&](BrokerId member) {
    if (member == self_) return false;
    const auto found =
        std::find_if(followers.begin(), followers.end(),
                     [&](const FollowerProgress& f) { return f.info.broker == member; });
    return found != followers.end() && Lags(*found, log, lag_max, now.mono);
  });
  if (members.size() == isr_.size()) return std::nullopt;
  return Propose(members, followers, now);
}

IsrProposal IsrTracker::Propose(const std::vector<BrokerId>& members,
                                const std::vector<FollowerProgress>& followers, Now now) {
  QUIPU_INVARIANT("I31", Contains(members, self_));
  IsrProposal proposal{.uid = uid_,
                       .leader_epoch = leader_epoch_,
                       .partition_epoch = partition_epoch_,
                       .new_isr = {}};
  for (BrokerId member : members) {
    BrokerEpoch epoch = self_epoch_;
    for (const FollowerProgress& follower : followers) {
      if (follower.info.broker == member) epoch = follower.info.epoch;
    }
    proposal.new_isr.emplace_back(member, epoch);
  }
  open_ = Open{.proposal = proposal, .repeat_at = now.mono + kProposalRepeatDelay};
  if (IsPlanted(PlantedBug::kShrinkBeforeCommitted) && members.size() < isr_.size()) {
    isr_ = members;
  }
  UpdateMaximal();
  return proposal;
}

bool IsrTracker::OnResult(PartitionEpoch proposed_at, ErrorCode error, Now now) {
  if (!open_ || open_->proposal.partition_epoch != proposed_at) return false;
  if (open_->under_way > 0) --open_->under_way;
  if (IsRefusal(error) && open_->under_way == 0) {
    open_.reset();
    UpdateMaximal();
    return true;
  }
  // Taken: the image that shows it is on its way. Anything else leaves open whether it was.
  open_->repeat_at =
      now.mono + (error == ErrorCode::kNone ? kProposalRepeatDelay : kUnknownOutcomeDelay);
  return false;
}

std::optional<IsrProposal> IsrTracker::Repeat(Now now) {
  if (!open_ || now.mono < open_->repeat_at) return std::nullopt;
  open_->repeat_at = now.mono + kProposalRepeatDelay;
  ++open_->under_way;
  return open_->proposal;
}

std::optional<Instant> IsrTracker::NextDeadline() const {
  if (!open_) return std::nullopt;
  return open_->repeat_at;
}

bool IsrTracker::InIsr(BrokerId broker) const { return Contains(isr_, broker); }
bool IsrTracker::InMaximal(BrokerId broker) const { return Contains(maximal_, broker); }

void IsrTracker::UpdateMaximal() {
  maximal_ = isr_;
  if (!open_) return;
  for (const auto& [member, epoch] : open_->proposal.new_isr) {
    if (!Contains(maximal_, member)) maximal_.push_back(member);
  }
}

void IsrTracker::CheckInvariants() const {
  for (BrokerId member : isr_) QUIPU_INVARIANT("I23", Contains(maximal_, member));
  if (open_) QUIPU_INVARIANT("I32", open_->proposal.partition_epoch == partition_epoch_);
}

}  // namespace quipu
