// The assignor `range`: each topic's partitions in contiguous runs.
#pragma once

#include <string>

#include "absl/container/btree_map.h"
#include "core/coordinator/group_state.h"
#include "core/coordinator/topic_view.h"

namespace quipu {

inline constexpr char kRangeAssignor[] = "range";

// A target for every member, by member id. Of each topic that exists, the members subscribed to it
// get one run each, in their order; with n partitions and m members the first n mod m get one more.
//   order          static members first, by instance id, then the others by member id: a restarted
//                  static member has the same runs
//   co-partitioned topics with equally many partitions and the same readers are dealt out alike, so
//                  that records with one key come to one member
//   deterministic  depends on the arguments alone; not sticky: a member more or less moves runs
// Pure. Source: KIP-848, "range".
absl::btree_map<std::string, TopicPartitions> AssignByRange(
    const absl::btree_map<std::string, GroupMember>& members, const GroupTopicView& topics);

}  // namespace quipu
