// How a group's membership moves: a new target assignment, and a member's way towards it.
//
// Both functions change a scratch copy of the membership; the coordinator turns the difference into
// records. Pure. Source: KIP-848, "Rebalance process".
#pragma once

#include <string>

#include "core/coordinator/group_state.h"
#include "core/coordinator/topic_view.h"

namespace quipu {

// Whether there is an assignor of this name.
bool IsAssignor(const std::string& name);

// The assignor that most members ask for (group.remote.assignor); of several the first by name;
// `uniform` when nobody asks for one. Source: KIP-848, "Assignors".
std::string PreferredAssignor(const GroupMembership& membership);

// Forgets what members hold of topics that are gone, then computes the target anew with the
// assignor that the members prefer. When it or any target changed, or `force` says that the members
// did, the group epoch is raised and the assignment epoch with it.
void Retarget(GroupMembership& membership, const GroupTopicView& topics, bool force);

// Takes the member as far towards its target as it may go now:
//   1. partitions outside the target become pending: they are no longer the member's to keep, but
//      nobody else's yet;
//   2. once `owned`, what the member says it holds, is free of them, they are released and the
//      member's epoch becomes the assignment epoch;
//   3. it is given the partitions of its target that nobody else has [I52]; the others follow on
//      later calls, when their owners have let go.
// `owned` is nullptr when the member did not say; then nothing pending is released.
void Reconcile(GroupMembership& membership, GroupMember& member, const TopicPartitions* owned);

// Whether there is something in which Reconcile would take the member further, now or once it has
// let go: a member of the classic protocol then has to join again. Source: KIP-848.
bool HasToMove(const GroupMembership& membership, const GroupMember& member);

}  // namespace quipu
