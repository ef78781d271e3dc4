#include "core/coordinator/group_coordinator_core.h"

#include <chrono>
#include <utility>

#include "base/check.h"
#include "core/coordinator/group_bytes.h"

namespace quipu {
namespace {

const GroupCoordinatorOptions& Checked(const GroupCoordinatorOptions& options) {
  QUIPU_CHECK(options.session_timeout_ms_min > 0);
  QUIPU_CHECK(options.session_timeout_ms_min <= options.session_timeout_ms_max);
  QUIPU_CHECK(options.classic_session_timeout_ms_min > 0);
  QUIPU_CHECK(options.classic_session_timeout_ms_min <= options.classic_session_timeout_ms_max);
  QUIPU_CHECK(options.records_per_turn_max > 0);
  QUIPU_CHECK(options.offsets_retention_ms > 0);
  QUIPU_CHECK(options.offsets_retention_check_ms > 0);
  return options;
}

}  // namespace

GroupCoordinatorCore::GroupCoordinatorCore(GroupCoordinatorOptions options)
    : options_(Checked(options)), classic_(options_) {}

const GroupState* GroupCoordinatorCore::FindGroup(const std::string& group_id) const {
  const auto it = groups_.find(group_id);
  return it != groups_.end() ? &it->second : nullptr;
}

void GroupCoordinatorCore::Replay(const record::GroupRecord& record) {
  ++snapshot_records_;
  switch (record.record_case()) {
    case record::GroupRecord::kGroup:
      return ReplayGroup(record.group());
    case record::GroupRecord::kMember:
      return ReplayMember(record.member());
    case record::GroupRecord::kMemberRemoved:
      return ReplayMemberRemoved(record.member_removed());
    case record::GroupRecord::kOffset:
      return ReplayOffset(record.offset());
    case record::GroupRecord::kGroupRemoved:
      return ReplayGroupRemoved(record.group_removed());
    case record::GroupRecord::kOffsetRemoved:
      return ReplayOffsetRemoved(record.offset_removed());
    case record::GroupRecord::kClassicGroup:
      return ReplayClassicGroup(record.classic_group());
    case record::GroupRecord::kSnapshotBegin:
      // Nothing is cleared: a snapshot either starts the log or repeats what is known already.
      snapshot_id_ = record.snapshot_begin().snapshot_id();
      snapshot_records_ = 0;
      return;
    case record::GroupRecord::kSnapshotEnd:
      return ReplaySnapshotEnd(record.snapshot_end());
    case record::GroupRecord::RECORD_NOT_SET:
      return;
  }
}

GroupState& GroupCoordinatorCore::AddGroup(const std::string& group_id) {
  const auto [it, added] = groups_.try_emplace(group_id);
  if (added) durable_bytes_ += HeldBytes(group_id, it->second);
  return it->second;
}

void GroupCoordinatorCore::EraseGroup(absl::btree_map<std::string, GroupState>::iterator group) {
  durable_bytes_ -= HeldBytes(group->first, group->second);
  groups_.erase(group);
}

void GroupCoordinatorCore::ReplayGroup(const record::GroupMetadata& record) {
  GroupMembership& membership = AddGroup(record.group_id()).membership;
  durable_bytes_ += record.assignor().size() - membership.assignor.size();
  membership.epoch = GroupEpoch(record.group_epoch());
  membership.assignment_epoch = GroupEpoch(record.assignment_epoch());
  membership.assignor = record.assignor();
  membership.empty_since = TimestampMs(record.empty_since_ms());
}

void GroupCoordinatorCore::ReplayMember(const record::GroupMember& record) {
  auto& members = AddGroup(record.group_id()).membership.members;
  const auto before = members.find(record.member_id());
  if (before != members.end()) durable_bytes_ -= HeldBytes(before->second);
  const GroupMember& member = members[record.member_id()] = MemberFromRecord(record);
  durable_bytes_ += HeldBytes(member);
  classic_.GiveUp(record.group_id());
  // One of the classic protocol has its time until it joins.
  if (member.pending_revocation.empty() && !member.is_classic()) {
    timers_.Clear({record.group_id(), record.member_id()}, MemberTimers::Kind::kRevocation);
  }
}

void GroupCoordinatorCore::ReplayClassicGroup(const record::ClassicGroup& record) {
  ClassicMembership& classic = AddGroup(record.group_id()).classic;
  ClassicMembership next = ClassicFromRecord(record);
  if (next.protocol_type.empty()) classic_.ForgetEmpty(record.group_id());
  // While it serves; of what it loads OnLoaded takes the last.
  if (next.rebalance_due && classic_.Find(record.group_id()) == nullptr) {
    classic_.Load(record.group_id(), next, clock_.mono);
  }
  durable_bytes_ += HeldBytes(next) - HeldBytes(classic);
  classic = std::move(next);
}

void GroupCoordinatorCore::ReplayMemberRemoved(const record::GroupMemberRemoved& record) {
  timers_.ClearAll({record.group_id(), record.member_id()});
  commit_attempts_.erase({record.group_id(), record.member_id()});
  const auto it = groups_.find(record.group_id());
  if (it == groups_.end()) return;
  const auto member = it->second.membership.members.find(record.member_id());
  if (member == it->second.membership.members.end()) return;
  durable_bytes_ -= HeldBytes(member->second);
  it->second.membership.members.erase(member);
}

void GroupCoordinatorCore::ReplayOffset(const record::OffsetCommitted& record) {
  const auto topic_id = TopicId::FromBytes(record.topic_id());
  QUIPU_CHECK(topic_id.has_value());
  auto& offsets = AddGroup(record.group_id()).offsets;
  const TopicPartition partition{*topic_id, PartitionIndex(record.partition())};
  const auto before = offsets.find(partition);
  if (before != offsets.end()) durable_bytes_ -= HeldBytes(before->second);
  durable_bytes_ += kHeldOffsetBytes + record.metadata().size();
  offsets[partition] = {.offset = Offset(record.offset()),
                        .leader_epoch = LeaderEpoch(record.leader_epoch()),
                        .metadata = record.metadata(),
                        .commit_time = TimestampMs(record.commit_timestamp_ms())};
}

void GroupCoordinatorCore::ReplayOffsetRemoved(const record::OffsetRemoved& record) {
  const auto topic_id = TopicId::FromBytes(record.topic_id());
  QUIPU_CHECK(topic_id.has_value());
  const auto it = groups_.find(record.group_id());
  if (it == groups_.end()) return;
  auto& offsets = it->second.offsets;
  const auto offset = offsets.find({*topic_id, PartitionIndex(record.partition())});
  if (offset != offsets.end()) {
    durable_bytes_ -= HeldBytes(offset->second);
    offsets.erase(offset);
  }
  // A group that was made by its offsets goes with them.
  if (it->second == GroupState()) EraseGroup(it);
}

void GroupCoordinatorCore::ReplayGroupRemoved(const record::GroupRemoved& record) {
  const auto it = groups_.find(record.group_id());
  if (it == groups_.end()) return;
  for (const auto& [member_id, member] : it->second.membership.members) {
    timers_.ClearAll({record.group_id(), member_id});
    commit_attempts_.erase({record.group_id(), member_id});
  }
  classic_.ForgetEmpty(record.group_id());
  EraseGroup(it);
}

void GroupCoordinatorCore::ReplaySnapshotEnd(const record::SnapshotEnd& record) {
  // An end without its beginning, or with other records in between, would mean that the host broke
  // the rule for appending snapshots, and that offsets may have gone back.
  QUIPU_INVARIANT("I54", snapshot_id_ == record.snapshot_id());
  QUIPU_INVARIANT("I54", snapshot_records_ == record.record_count() + 1);
  snapshot_id_.reset();
}

void GroupCoordinatorCore::OnLoaded(Instant now) {
  clock_.mono = now;
  expiry_at_ = now + std::chrono::milliseconds(options_.offsets_retention_check_ms);
  expiry_next_.clear();
  timers_.Reset();
  classic_.Reset();
  snapshot_id_.reset();
  for (const auto& [group_id, group] : groups_) {
    if (!group.classic.protocol_type.empty()) classic_.Load(group_id, group.classic, now);
    for (const auto& [member_id, member] : group.membership.members) {
      RestartTimers(group_id, member, 0, now);
    }
  }
  CheckInvariants();
}

GroupRecords GroupCoordinatorCore::Snapshot(uint64_t snapshot_id) const {
  GroupRecords records;
  records.emplace_back().mutable_snapshot_begin()->set_snapshot_id(snapshot_id);
  for (const auto& [group_id, group] : groups_) {
    if (group.membership != GroupMembership()) {
      records.push_back(GroupMetadataRecord(group_id, group.membership));
    }
    for (const auto& [member_id, member] : group.membership.members) {
      records.push_back(MemberRecord(group_id, member));
    }
    if (group.classic != ClassicMembership()) {
      records.push_back(ClassicGroupRecord(group_id, group.classic));
    }
    for (const auto& [partition, offset] : group.offsets) {
      records.push_back(OffsetRecord(group_id, partition, offset));
    }
  }
  const size_t count = records.size() - 1;
  QUIPU_CHECK(count == StateRecordCount());
  record::SnapshotEnd* end = records.emplace_back().mutable_snapshot_end();
  end->set_snapshot_id(snapshot_id);
  end->set_record_count(count);
  return records;
}

size_t GroupCoordinatorCore::StateRecordCount() const {
  size_t count = 0;
  for (const auto& [group_id, group] : groups_) {
    if (group.membership != GroupMembership()) ++count;
    if (group.classic != ClassicMembership()) ++count;
    count += group.membership.members.size() + group.offsets.size();
  }
  return count;
}

}  // namespace quipu
