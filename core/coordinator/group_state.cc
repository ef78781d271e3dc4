#include "core/coordinator/group_state.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace quipu {
namespace {

bool PartitionBefore(const AssignedPartition& a, const TopicPartition& b) {
  return a.partition < b;
}

// Pairs the flattened partitions of a record with their epochs. An epoch that is missing counts as
// the member's own: the strictest reading.
std::vector<AssignedPartition> AssignedFromRecord(
    const TopicPartitionsField& partitions, const google::protobuf::RepeatedField<int32_t>& epochs,
    GroupEpoch member_epoch) {
  std::vector<AssignedPartition> assigned;
  int flat_index = 0;
  for (const record::TopicPartitions& topic : partitions) {
    const auto topic_id = TopicId::FromBytes(topic.topic_id());
    for (const int32_t index : topic.partitions()) {
      const GroupEpoch epoch =
          flat_index < epochs.size() ? GroupEpoch(epochs.Get(flat_index)) : member_epoch;
      ++flat_index;
      if (!topic_id.has_value()) continue;
      assigned.push_back({.partition = {*topic_id, PartitionIndex(index)}, .epoch = epoch});
    }
  }
  std::sort(assigned.begin(), assigned.end(),
            [](const AssignedPartition& a, const AssignedPartition& b) {
              return a.partition < b.partition;
            });
  return assigned;
}

void AssignedToRecord(const std::vector<AssignedPartition>& assigned,
                      TopicPartitionsField* partitions,
                      google::protobuf::RepeatedField<int32_t>* epochs) {
  ToProto(PartitionsOf(assigned), partitions);
  for (const AssignedPartition& item : assigned) epochs->Add(item.epoch.value());
}

}  // namespace

const AssignedPartition* FindAssigned(const std::vector<AssignedPartition>& partitions,
                                      const TopicPartition& partition) {
  const auto it =
      std::lower_bound(partitions.begin(), partitions.end(), partition, PartitionBefore);
  return it != partitions.end() && it->partition == partition ? &*it : nullptr;
}

TopicPartitions PartitionsOf(const std::vector<AssignedPartition>& partitions) {
  TopicPartitions result;
  result.reserve(partitions.size());
  for (const AssignedPartition& item : partitions) result.push_back(item.partition);
  return result;
}

bool Contains(const TopicPartitions& partitions, const TopicPartition& partition) {
  return std::binary_search(partitions.begin(), partitions.end(), partition);
}

const GroupMember* FindInstance(const GroupMembership& membership, const std::string& instance_id) {
  if (instance_id.empty()) return nullptr;
  for (const auto& [member_id, member] : membership.members) {
    if (member.instance_id == instance_id) return &member;
  }
  return nullptr;
}

std::vector<std::string> CommonClassicProtocols(const GroupMembership& membership) {
  std::vector<std::string> common;
  bool is_first = true;
  for (const auto& [member_id, member] : membership.members) {
    if (!member.is_classic()) continue;
    if (std::exchange(is_first, false)) {
      common = member.classic_protocols;
      continue;
    }
    const absl::flat_hash_set<absl::string_view> known(member.classic_protocols.begin(),
                                                       member.classic_protocols.end());
    std::erase_if(common, [&known](const std::string& name) { return !known.contains(name); });
  }
  return common;
}

bool IsSettled(const GroupMembership& membership, const GroupMember& member) {
  if (member.epoch != membership.assignment_epoch || !member.pending_revocation.empty()) {
    return false;
  }
  return std::equal(
      member.assigned.begin(), member.assigned.end(), member.target.begin(), member.target.end(),
      [](const AssignedPartition& a, const TopicPartition& b) { return a.partition == b; });
}

void ToProto(const TopicPartitions& partitions, TopicPartitionsField* out) {
  record::TopicPartitions* topic = nullptr;
  const TopicPartition* previous = nullptr;
  for (const TopicPartition& partition : partitions) {
    if (previous == nullptr || previous->topic_id != partition.topic_id) {
      topic = out->Add();
      topic->set_topic_id(partition.topic_id.ToBytes());
    }
    topic->add_partitions(partition.partition.value());
    previous = &partition;
  }
}

TopicPartitions FromProto(const TopicPartitionsField& field) {
  TopicPartitions partitions;
  for (const record::TopicPartitions& topic : field) {
    const auto topic_id = TopicId::FromBytes(topic.topic_id());
    if (!topic_id.has_value()) continue;
    for (const int32_t index : topic.partitions()) {
      partitions.push_back({*topic_id, PartitionIndex(index)});
    }
  }
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  return partitions;
}

size_t CountPartitions(const TopicPartitionsField& field) {
  size_t count = 0;
  for (const record::TopicPartitions& topic : field) {
    count += static_cast<size_t>(topic.partitions_size());
  }
  return count;
}

record::GroupRecord GroupMetadataRecord(const std::string& group_id,
                                        const GroupMembership& membership) {
  record::GroupRecord result;
  record::GroupMetadata* group = result.mutable_group();
  group->set_group_id(group_id);
  group->set_group_epoch(membership.epoch.value());
  group->set_assignment_epoch(membership.assignment_epoch.value());
  group->set_assignor(membership.assignor);
  group->set_empty_since_ms(membership.empty_since.value());
  return result;
}

record::GroupRecord MemberRecord(const std::string& group_id, const GroupMember& member) {
  record::GroupRecord result;
  record::GroupMember* out = result.mutable_member();
  out->set_group_id(group_id);
  out->set_member_id(member.member_id);
  out->set_member_epoch(member.epoch.value());
  out->set_previous_member_epoch(member.previous_epoch.value());
  out->set_client_id(member.client_id);
  out->set_client_host(member.client_host);
  out->set_instance_id(member.instance_id);
  out->set_replaced_member_id(member.replaced_member_id);
  out->set_assignor(member.assignor);
  for (const std::string& topic : member.subscribed_topics) out->add_subscribed_topics(topic);
  out->set_session_timeout_ms(member.session_timeout_ms);
  out->set_rebalance_timeout_ms(member.rebalance_timeout_ms);
  AssignedToRecord(member.assigned, out->mutable_assigned(), out->mutable_assigned_epochs());
  AssignedToRecord(member.pending_revocation, out->mutable_pending_revocation(),
                   out->mutable_pending_revocation_epochs());
  ToProto(member.target, out->mutable_target());
  for (const std::string& name : member.classic_protocols) out->add_classic_protocols(name);
  return result;
}

record::GroupRecord MemberRemovedRecord(const std::string& group_id, const std::string& member_id) {
  record::GroupRecord result;
  result.mutable_member_removed()->set_group_id(group_id);
  result.mutable_member_removed()->set_member_id(member_id);
  return result;
}

record::GroupRecord OffsetRecord(const std::string& group_id, const TopicPartition& partition,
                                 const CommittedOffset& offset) {
  record::GroupRecord result;
  record::OffsetCommitted* out = result.mutable_offset();
  out->set_group_id(group_id);
  out->set_topic_id(partition.topic_id.ToBytes());
  out->set_partition(partition.partition.value());
  out->set_offset(offset.offset.value());
  out->set_leader_epoch(offset.leader_epoch.value());
  out->set_metadata(offset.metadata);
  out->set_commit_timestamp_ms(offset.commit_time.value());
  return result;
}

record::GroupRecord OffsetRemovedRecord(const std::string& group_id,
                                        const TopicPartition& partition) {
  record::GroupRecord result;
  record::OffsetRemoved* out = result.mutable_offset_removed();
  out->set_group_id(group_id);
  out->set_topic_id(partition.topic_id.ToBytes());
  out->set_partition(partition.partition.value());
  return result;
}

record::GroupRecord GroupRemovedRecord(const std::string& group_id) {
  record::GroupRecord result;
  result.mutable_group_removed()->set_group_id(group_id);
  return result;
}

GroupMember MemberFromRecord(const record::GroupMember& record) {
  GroupMember member;
  member.member_id = record.member_id();
  member.epoch = GroupEpoch(record.member_epoch());
  member.previous_epoch = GroupEpoch(record.previous_member_epoch());
  member.client_id = record.client_id();
  member.client_host = record.client_host();
  member.instance_id = record.instance_id();
  member.replaced_member_id = record.replaced_member_id();
  member.assignor = record.assignor();
  member.subscribed_topics.assign(record.subscribed_topics().begin(),
                                  record.subscribed_topics().end());
  member.session_timeout_ms = record.session_timeout_ms();
  member.rebalance_timeout_ms = record.rebalance_timeout_ms();
  member.assigned = AssignedFromRecord(record.assigned(), record.assigned_epochs(), member.epoch);
  member.pending_revocation = AssignedFromRecord(record.pending_revocation(),
                                                 record.pending_revocation_epochs(), member.epoch);
  member.target = FromProto(record.target());
  member.classic_protocols.assign(record.classic_protocols().begin(),
                                  record.classic_protocols().end());
  return member;
}

std::vector<record::GroupRecord> MembershipChange(const std::string& group_id,
                                                  const GroupMembership& before,
                                                  const GroupMembership& after) {
  std::vector<record::GroupRecord> records;
  if (before.epoch != after.epoch || before.assignment_epoch != after.assignment_epoch ||
      before.assignor != after.assignor || before.empty_since != after.empty_since) {
    records.push_back(GroupMetadataRecord(group_id, after));
  }
  for (const auto& [member_id, member] : before.members) {
    if (!after.members.contains(member_id)) {
      records.push_back(MemberRemovedRecord(group_id, member_id));
    }
  }
  for (const auto& [member_id, member] : after.members) {
    const auto it = before.members.find(member_id);
    if (it == before.members.end() || it->second != member) {
      records.push_back(MemberRecord(group_id, member));
    }
  }
  QUIPU_CHECK(records.empty() == (before == after));
  return records;
}

}  // namespace quipu
