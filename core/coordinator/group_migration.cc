// GroupCoordinatorCore: a group with members goes over to the other protocol (KIP-848, "Online
// migration"). What is known of who holds what goes along, so that no partition has two owners.
#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/classic/named_partitions.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"

namespace quipu {
namespace {

// What the last assignment says of the member; nullptr: nothing. A static member may have come
// back under another id since.
const ClassicMember* FindDurable(const ClassicMembership& durable, const std::string& member_id,
                                 const LiveClassicMember& member) {
  const auto it = durable.members.find(member_id);
  if (it != durable.members.end()) return &it->second;
  if (member.instance_id.empty()) return nullptr;
  for (const auto& [id, known] : durable.members) {
    if (known.instance_id == member.instance_id) return &known;
  }
  return nullptr;
}

// The member with all but its partitions; nullopt: what it wants cannot be read.
std::optional<GroupMember> Converted(const std::string& member_id, const LiveClassicMember& live,
                                     int32_t generation, const GroupCoordinatorOptions& options) {
  if (live.protocols.empty()) return std::nullopt;
  auto names = SubscribedTopicsIn(live.protocols.front().metadata);
  if (!names || !AreTopicNames(*names, options)) return std::nullopt;
  GroupMember member;
  member.member_id = member_id;
  member.epoch = GroupEpoch(generation);
  member.previous_epoch = member.epoch;
  member.client_id = live.client_id;
  member.client_host = live.client_host;
  member.instance_id = live.instance_id;
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
  member.subscribed_topics = *std::move(names);
  member.session_timeout_ms = live.session_timeout_ms;
  member.rebalance_timeout_ms = live.rebalance_timeout_ms;
  for (const ClassicProtocol& protocol : live.protocols) {
    member.classic_protocols.push_back(protocol.name);
  }
  return member;
}

// Adds those of `partitions` that nobody holds yet.
void Hold(const TopicPartitions& partitions, absl::btree_set<TopicPartition>& held,
          GroupMember& member) {
  for (const TopicPartition& partition : partitions) {
    if (!held.insert(partition).second) continue;
    const auto place = std::lower_bound(
        member.assigned.begin(), member.assigned.end(), partition,
        [](const AssignedPartition& a, const TopicPartition& b) { return a.partition < b; });
    member.assigned.insert(place, {.partition = partition, .epoch = member.epoch});
  }
}

}  // namespace

std::optional<GroupMembership> GroupCoordinatorCore::Upgraded(const ClassicGroup& live,
                                                              const GroupState* group,
                                                              const GroupTopicView& topics) const {
  const bool may = options_.migration_policy == GroupMigrationPolicy::kUpgrade ||
                   options_.migration_policy == GroupMigrationPolicy::kBidirectional;
  if (!may || live.protocol_type != kConsumerProtocolType) return std::nullopt;
  GroupMembership upgraded;
  if (group != nullptr) upgraded.epoch = group->membership.epoch;
  upgraded.epoch = std::max(upgraded.epoch, GroupEpoch(live.generation));
  upgraded.assignment_epoch = upgraded.epoch;
  absl::btree_set<TopicPartition> held;
  for (const auto& [member_id, member] : live.members) {
    if (member.is_new) continue;  // holds nothing, and joins again
    auto converted = Converted(member_id, member, live.generation, options_);
    if (!converted) return std::nullopt;
    const ClassicMember* durable =
        group != nullptr ? FindDurable(group->classic, member_id, member) : nullptr;
    const auto given = AssignedPartitionsIn(durable != nullptr ? durable->assignment : "");
    if (!given) return std::nullopt;
    Hold(ToIds(*given, topics), held, *converted);
    upgraded.members.emplace(member_id, *std::move(converted));
  }
  // A member that is still to give up what the last assignment took from it said so (KIP-429).
  for (auto& [member_id, member] : upgraded.members) {
    const auto owned = OwnedPartitionsIn(live.Find(member_id)->protocols.front().metadata);
    if (owned) Hold(ToIds(*owned, topics), held, member);
  }
  return upgraded;
}

GroupRecords GroupCoordinatorCore::Downgraded(const std::string& group_id,
                                              const GroupMembership& after,
                                              const GroupTopicView& topics) const {
  const bool may = options_.migration_policy == GroupMigrationPolicy::kDowngrade ||
                   options_.migration_policy == GroupMigrationPolicy::kBidirectional;
  const bool all_classic = !after.members.empty() &&
                           std::all_of(after.members.begin(), after.members.end(),
                                       [](const auto& item) { return item.second.is_classic(); });
  const bool fits = after.members.size() <= options_.classic_members_per_group_max;
  if (!may || !all_classic || !fits) return {};
  const GroupState& group = *FindGroup(group_id);
  ClassicMembership classic;
  classic.generation = std::max(after.epoch.value(), group.classic.generation);
  classic.protocol_type = kConsumerProtocolType;
  const std::vector<std::string> common = CommonClassicProtocols(after);
  if (!common.empty()) classic.protocol = common.front();
  classic.leader = after.members.begin()->first;
  classic.rebalance_due = true;
  for (const auto& [member_id, member] : after.members) {
    TopicPartitions holds = PartitionsOf(member.assigned);
    for (const AssignedPartition& item : member.pending_revocation) {
      holds.push_back(item.partition);
    }
    std::sort(holds.begin(), holds.end());
    const NamedPartitions named = ToNames(holds, topics);
    classic.members[member_id] = {
        .instance_id = member.instance_id,
        .client_id = member.client_id,
        .client_host = member.client_host,
        .session_timeout_ms = member.session_timeout_ms,
        .rebalance_timeout_ms = member.rebalance_timeout_ms,
        .subscription = EncodeSubscription(member.subscribed_topics, named, classic.generation),
        .assignment = EncodeAssignment(named)};
  }
  record::GroupRecord record = ClassicGroupRecord(group_id, classic);
  if (record.ByteSizeLong() > options_.classic_group_bytes_max) return {};
  GroupRecords records;
  for (const auto& [member_id, member] : group.membership.members) {
    records.push_back(MemberRemovedRecord(group_id, member_id));
  }
  records.push_back(std::move(record));
  return records;
}

}  // namespace quipu
