// Which replicas are in sync, and which may be, of a partition that is led here.
#pragma once

#include <optional>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/replication/follower_progress.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Holds the ISR of the newest image and at most one proposal to change it. The controller may have
// taken the proposal before this leader hears of it, so everything that must hold for the ISR is
// asked of the *maximal* ISR: current plus proposed. Until a proposal ends, the very same one is
// repeated, which its partition epoch makes harmless. It ends with a newer image, or with an answer
// that says that it was not taken once no copy of it is under way that could still be: each copy
// gets exactly one answer.
//
// Shard thread only. Keeps I23 and I32 (the leader's part).
// Source: KIP-497 (maximal ISR), KIP-903 (broker epochs), KIP-966 (members must be eligible).
class IsrTracker {
 public:
  IsrTracker(BrokerId self, PartitionUid uid, LeaderEpoch leader_epoch)
      : self_(self), uid_(uid), leader_epoch_(leader_epoch) {}

  // The ISR of a newer image, and this broker's own registration in it. Ends a proposal that was
  // made at an older partition epoch.
  void OnImage(PartitionEpoch partition_epoch, const std::vector<BrokerId>& isr,
               BrokerEpoch self_epoch);

  // What the log is like, for judging followers.
  struct LogView {
    Offset high_watermark;
    Offset log_end;
    Offset epoch_start;
    size_t min_isr = 1;  // effective minimum
  };
  // Proposes to add the followers that have caught up, unless a proposal is open. One has caught up
  // when its durable end has reached both the high watermark and the start of this leader epoch
  // (R08), and it is registered, unfenced, staying, and of the broker epoch of the image (R13).
  std::optional<IsrProposal> ProposeExpand(const std::vector<FollowerProgress>& followers,
                                           const LogView& log, Now now);
  // Proposes to remove the members that have not held the whole log for `lag_max`, unless a
  // proposal is open. (Also one that was never heard of: its time runs from the start of the
  // epoch.)
  std::optional<IsrProposal> ProposeShrink(const std::vector<FollowerProgress>& followers,
                                           const LogView& log, Duration lag_max, Now now);
  // The controller's answer; see PartitionCore::OnIsrResult. True when the proposal is off, so that
  // the maximal ISR is smaller.
  bool OnResult(PartitionEpoch proposed_at, ErrorCode error, Now now);
  // The open proposal again, when it is time to repeat it.
  std::optional<IsrProposal> Repeat(Now now);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  [[nodiscard]] const std::vector<BrokerId>& isr() const { return isr_; }
  [[nodiscard]] const std::vector<BrokerId>& maximal() const { return maximal_; }
  [[nodiscard]] bool InIsr(BrokerId broker) const;
  [[nodiscard]] bool InMaximal(BrokerId broker) const;
  [[nodiscard]] bool proposal_open() const { return open_.has_value(); }

  void CheckInvariants() const;
  void AddTo(Fingerprint& state) const {
    state.Add(leader_epoch_, partition_epoch_, self_epoch_, isr_, maximal_, open_);
  }

 private:
  struct Open {
    IsrProposal proposal;
    Instant repeat_at;
    int under_way = 1;  // copies that were not answered
    void AddTo(Fingerprint& state) const { state.Add(proposal, repeat_at, under_way); }
  };

  IsrProposal Propose(const std::vector<BrokerId>& members,
                      const std::vector<FollowerProgress>& followers, Now now);
  void UpdateMaximal();

  BrokerId self_;
  PartitionUid uid_;
  LeaderEpoch leader_epoch_;
  PartitionEpoch partition_epoch_{-1};
  BrokerEpoch self_epoch_ = kNoBrokerEpoch;
  std::vector<BrokerId> isr_;
  std::vector<BrokerId> maximal_;
  std::optional<Open> open_;
};

}  // namespace quipu
