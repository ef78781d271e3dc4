#include "core/coordinator/rebalance.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/coordinator/range_assignor.h"
#include "core/coordinator/uniform_assignor.h"

namespace quipu {
namespace {

bool Exists(const TopicPartition& partition, const GroupTopicView& topics) {
  const auto topic = topics.FindById(partition.topic_id);
  return topic.has_value() && partition.partition.value() < topic->partition_count;
}

void DropGoneTopics(GroupMember& member, const GroupTopicView& topics) {
  const auto is_gone = [&topics](const AssignedPartition& item) {
    return !Exists(item.partition, topics);
  };
  std::erase_if(member.assigned, is_gone);
  std::erase_if(member.pending_revocation, is_gone);
}

// All that members other than `self` hold or have not yet let go.
absl::btree_set<TopicPartition> HeldByOthers(const GroupMembership& membership,
                                             const std::string& self) {
  absl::btree_set<TopicPartition> held;
  for (const auto& [member_id, member] : membership.members) {
    if (member_id == self) continue;
    for (const AssignedPartition& item : member.assigned) held.insert(item.partition);
    for (const AssignedPartition& item : member.pending_revocation) held.insert(item.partition);
  }
  return held;
}

void SortByPartition(std::vector<AssignedPartition>& partitions) {
  std::sort(partitions.begin(), partitions.end(),
            [](const AssignedPartition& a, const AssignedPartition& b) {
              return a.partition < b.partition;
            });
}

// Step 1. A partition that is back in the target while still pending stays pending: the member may
// have begun to let go of it, so it has to be given anew, at a new epoch.
void MarkForRevocation(GroupMember& member) {
  std::vector<AssignedPartition> kept;
  for (const AssignedPartition& item : member.assigned) {
    (Contains(member.target, item.partition) ? kept : member.pending_revocation).push_back(item);
  }
  member.assigned = std::move(kept);
  SortByPartition(member.pending_revocation);
}

// Step 2. False while the member still holds something pending.
bool ReleasePending(GroupMember& member, const TopicPartitions* owned) {
  if (member.pending_revocation.empty()) return true;
  if (owned == nullptr) return false;
  for (const AssignedPartition& item : member.pending_revocation) {
    if (Contains(*owned, item.partition)) return false;
  }
  member.pending_revocation.clear();
  return true;
}

// Step 3.
void GiveFreePartitions(const GroupMembership& membership, GroupMember& member) {
  const absl::btree_set<TopicPartition> held = HeldByOthers(membership, member.member_id);
  for (const TopicPartition& partition : member.target) {
    if (FindAssigned(member.assigned, partition) != nullptr) continue;
    if (held.contains(partition) && !IsPlanted(PlantedBug::kPartitionGivenBeforeRevoked)) continue;
    // Kept sorted one by one, so that FindAssigned stays right; the loop goes in order anyway.
    const auto place = std::lower_bound(
        member.assigned.begin(), member.assigned.end(), partition,
        [](const AssignedPartition& a, const TopicPartition& b) { return a.partition < b; });
    member.assigned.insert(place, {.partition = partition, .epoch = member.epoch});
  }
}

}  // namespace

bool IsAssignor(const std::string& name) {
  return name == kUniformAssignor || name == kRangeAssignor;
}

std::string PreferredAssignor(const GroupMembership& membership) {
  absl::btree_map<std::string, size_t> votes;
  for (const auto& [member_id, member] : membership.members) {
    if (!member.assignor.empty()) ++votes[member.assignor];
  }
  std::string preferred = kUniformAssignor;
  size_t most = 0;
  for (const auto& [assignor, count] : votes) {
    if (count <= most) continue;
    most = count;
    preferred = assignor;
  }
  return preferred;
}

void Retarget(GroupMembership& membership, const GroupTopicView& topics, bool force) {
  std::string assignor = PreferredAssignor(membership);
  bool changed = force || assignor != membership.assignor;
  membership.assignor = std::move(assignor);
  for (auto& [member_id, member] : membership.members) DropGoneTopics(member, topics);
  auto targets = membership.assignor == kRangeAssignor
                     ? AssignByRange(membership.members, topics)
                     : AssignUniformly(membership.members, topics);
  for (auto& [member_id, member] : membership.members) {
    TopicPartitions& target = targets.at(member_id);
    changed = changed || target != member.target;
    member.target = std::move(target);
  }
  if (!changed) return;
  ++membership.epoch;
  membership.assignment_epoch = membership.epoch;
}

void Reconcile(GroupMembership& membership, GroupMember& member, const TopicPartitions* owned) {
  if (IsSettled(membership, member)) return;
  if (member.epoch != membership.assignment_epoch) MarkForRevocation(member);
  if (!ReleasePending(member, owned)) return;
  if (member.epoch != membership.assignment_epoch) {
    member.previous_epoch = member.epoch;
    member.epoch = membership.assignment_epoch;
  }
  GiveFreePartitions(membership, member);
  QUIPU_CHECK(member.assigned.size() <= member.target.size());
}

bool HasToMove(const GroupMembership& membership, const GroupMember& member) {
  if (IsSettled(membership, member)) return false;
  if (member.epoch != membership.assignment_epoch || !member.pending_revocation.empty())
    return true;
  const absl::btree_set<TopicPartition> held = HeldByOthers(membership, member.member_id);
  return std::any_of(
      member.target.begin(), member.target.end(), [&](const TopicPartition& partition) {
        return FindAssigned(member.assigned, partition) == nullptr && !held.contains(partition);
      });
}

}  // namespace quipu
