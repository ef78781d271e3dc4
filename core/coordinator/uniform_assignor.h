// The assignor `uniform`: which member should own which partition.
#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "core/coordinator/group_state.h"
#include "core/coordinator/topic_view.h"

namespace quipu {

inline constexpr char kUniformAssignor[] = "uniform";

// A target for every member, by member id. Each partition of a subscribed topic that exists goes to
// exactly one member subscribed to it.
//   balanced       no partition can be handed from one member to another subscribed to its topic
//                  that has at least two fewer; with equal subscriptions all differ by at most one
//   sticky         starts from the targets that `members` hold and moves only what balance demands,
//                  so applied to its own result it changes nothing
//   deterministic  depends on the arguments alone
// Pure.
absl::btree_map<std::string, TopicPartitions> AssignUniformly(
    const absl::btree_map<std::string, GroupMember>& members, const GroupTopicView& topics);

}  // namespace quipu
