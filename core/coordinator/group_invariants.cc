// GroupCoordinatorCore: what must always hold, and the state as text.
#include <string>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/coordinator/group_bytes.h"
#include "core/coordinator/group_coordinator_core.h"

namespace quipu {
namespace {

std::string ToText(const TopicPartition& partition) {
  return absl::StrCat(partition.topic_id.ToText(), "-", partition.partition.value());
}

std::string ToText(const std::vector<AssignedPartition>& partitions) {
  std::string text;
  for (const AssignedPartition& item : partitions) {
    absl::StrAppend(&text, " ", ToText(item.partition), "@", item.epoch.value());
  }
  return text;
}

// Adds the partitions of one member, none of which may be there already.
void AddHeld(const std::vector<AssignedPartition>& partitions, const GroupMember& member,
             absl::btree_set<TopicPartition>& held) {
  const AssignedPartition* previous = nullptr;
  for (const AssignedPartition& item : partitions) {
    const bool is_first = held.insert(item.partition).second;
    QUIPU_INVARIANT_MSG("I52", is_first || IsPlanted(PlantedBug::kPartitionGivenBeforeRevoked),
                        ToText(item.partition));
    QUIPU_INVARIANT_MSG("I51", item.epoch <= member.epoch, member.member_id);
    QUIPU_INVARIANT_MSG("I51", item.epoch > GroupEpoch(0), member.member_id);
    QUIPU_CHECK(previous == nullptr || previous->partition < item.partition);
    previous = &item;
  }
}

void CheckMembership(const GroupMembership& membership) {
  QUIPU_CHECK(membership.assignment_epoch <= membership.epoch);
  absl::btree_set<TopicPartition> held;
  absl::btree_set<TopicPartition> targets;
  absl::btree_set<std::string> instances;
  for (const auto& [member_id, member] : membership.members) {
    QUIPU_CHECK(member_id == member.member_id);
    // Two processes in one place would both own its partitions.
    const bool alone = member.instance_id.empty() || instances.insert(member.instance_id).second;
    QUIPU_INVARIANT_MSG("I52", alone, member.instance_id);
    QUIPU_CHECK(member.epoch <= membership.assignment_epoch);
    QUIPU_CHECK(member.previous_epoch <= member.epoch);
    AddHeld(member.assigned, member, held);
    AddHeld(member.pending_revocation, member, held);
    for (const TopicPartition& partition : member.target) {
      QUIPU_INVARIANT_MSG("I52", targets.insert(partition).second, ToText(partition));
    }
  }
}

}  // namespace

void GroupCoordinatorCore::CheckInvariants() const {
  size_t durable_bytes = 0;
  for (const auto& [group_id, group] : groups_) {
    durable_bytes += HeldBytes(group_id, group);
    CheckMembership(group.membership);
    for (const auto& [partition, offset] : group.offsets) {
      QUIPU_CHECK(offset.offset >= Offset(0));
    }
    const ClassicMembership& classic = group.classic;
    QUIPU_CHECK(classic.members.empty() == classic.leader.empty());
    QUIPU_CHECK(classic.members.empty() || classic.members.contains(classic.leader));
    QUIPU_CHECK(classic.members.empty() || group.membership.members.empty());
  }
  QUIPU_CHECK(durable_bytes == durable_bytes_);
  size_t live_bytes = 0;
  for (const auto& [group_id, classic] : classic_.groups()) {
    live_bytes += classic.HeldBytes();
    const GroupState* group = FindGroup(group_id);
    classic_.CheckGroup(classic, group != nullptr ? group->classic : ClassicMembership());
    const bool both =
        group != nullptr && !group->membership.members.empty() && !classic.members.empty();
    QUIPU_CHECK(!both);
  }
  QUIPU_CHECK(live_bytes == classic_.held_bytes());
}

std::string GroupCoordinatorCore::DebugString() const {
  std::string text;
  for (const auto& [group_id, group] : groups_) {
    const GroupMembership& membership = group.membership;
    absl::StrAppend(&text, "group ", group_id, " epoch ", membership.epoch.value(),
                    " assignment_epoch ", membership.assignment_epoch.value(), " assignor ",
                    membership.assignor, "\n");
    for (const auto& [member_id, member] : membership.members) {
      absl::StrAppend(&text, "  member ", member_id, " epoch ", member.epoch.value(), " previous ",
                      member.previous_epoch.value(), " assigned", ToText(member.assigned),
                      " pending", ToText(member.pending_revocation), " target");
      for (const TopicPartition& partition : member.target) {
        absl::StrAppend(&text, " ", ToText(partition));
      }
      if (!member.instance_id.empty()) absl::StrAppend(&text, " instance ", member.instance_id);
      absl::StrAppend(&text, "\n");
    }
    const ClassicMembership& classic = group.classic;
    if (classic != ClassicMembership()) {
      absl::StrAppend(&text, "  classic generation ", classic.generation, " type ",
                      classic.protocol_type, " protocol ", classic.protocol, " leader ",
                      classic.leader, "\n");
    }
    for (const auto& [member_id, member] : classic.members) {
      absl::StrAppend(&text, "  classic member ", member_id, " instance ", member.instance_id,
                      " subscription ", member.subscription.size(), " bytes assignment ",
                      member.assignment.size(), " bytes\n");
    }
    for (const auto& [partition, offset] : group.offsets) {
      absl::StrAppend(&text, "  offset ", ToText(partition), " ", offset.offset.value(), " epoch ",
                      offset.leader_epoch.value(), " metadata ", offset.metadata.size(),
                      " bytes\n");
    }
  }
  return text;
}

}  // namespace quipu
