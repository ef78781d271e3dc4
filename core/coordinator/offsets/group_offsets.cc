// GroupCoordinatorCore: committed offsets.
#include <utility>

#include "absl/container/btree_set.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/coordinator/group_bytes.h"
#include "core/coordinator/group_coordinator_core.h"
#include "core/coordinator/group_requests.h"
#include "core/request/wire_format.h"

namespace quipu {
namespace {

using CommitPartition = message::OffsetCommitRequest::Partition;

void AddCommitResult(const CommitPartition& partition, ErrorCode error,
                     message::OffsetCommitResponse& response) {
  message::OffsetCommitResponse::Partition* out = response.add_partitions();
  out->set_topic_id(partition.topic_id());
  out->set_partition(partition.partition());
  out->set_error_code(static_cast<int32_t>(error));
}

GroupResult<message::OffsetCommitResponse> Refuse(const message::OffsetCommitRequest& request,
                                                  ErrorCode error) {
  GroupResult<message::OffsetCommitResponse> result;
  result.response.set_error_code(static_cast<int32_t>(error));
  for (const CommitPartition& partition : request.partitions()) {
    AddCommitResult(partition, error, result.response);
  }
  return result;
}

// What is wrong with the partition itself, whoever sends it.
ErrorCode CheckPartition(const CommitPartition& partition, const GroupTopicView& topics,
                         const GroupCoordinatorOptions& options) {
  const auto topic_id = TopicId::FromBytes(partition.topic_id());
  if (!topic_id.has_value()) return ErrorCode::kUnknownTopicId;
  const auto topic = topics.FindById(*topic_id);
  if (!topic.has_value()) return ErrorCode::kUnknownTopicId;
  if (partition.partition() < 0 || partition.partition() >= topic->partition_count) {
    return ErrorCode::kUnknownTopicOrPartition;
  }
  if (partition.offset() < 0 || partition.leader_epoch() < kNoLeaderEpoch.value()) {
    return ErrorCode::kInvalidRequest;
  }
  if (partition.metadata().size() > options.offset_metadata_bytes_max) {
    return ErrorCode::kOffsetMetadataTooLarge;
  }
  if (!IsUtf8(partition.metadata())) return ErrorCode::kInvalidRequest;
  return ErrorCode::kNone;
}

// [I51] The member must hold the partition, or be about to let go of it, and must have held it
// without a break since the epoch that it names. Otherwise the commit comes from a time when
// somebody else owned the partition in between, and would undo that owner's progress (KIP-1251).
bool MayCommit(const GroupMember& member, GroupEpoch epoch, const TopicPartition& partition) {
  if (IsPlanted(PlantedBug::kZombieCommitAccepted)) return true;
  const AssignedPartition* held = FindAssigned(member.assigned, partition);
  if (held == nullptr) held = FindAssigned(member.pending_revocation, partition);
  return held != nullptr && epoch >= held->epoch;
}

// What the fields of fixed size take at most, with a topic id.
constexpr size_t kFetchResultBytes = 64;

// Returns the bytes that it takes.
size_t AddFetchResult(const std::string& topic_id, int32_t partition, const CommittedOffset* offset,
                      message::OffsetFetchResponse& response) {
  message::OffsetFetchResponse::Partition* out = response.add_partitions();
  out->set_topic_id(topic_id);
  out->set_partition(partition);
  out->set_offset(offset != nullptr ? offset->offset.value() : kNoOffset.value());
  out->set_leader_epoch(offset != nullptr ? offset->leader_epoch.value() : kNoLeaderEpoch.value());
  if (offset == nullptr) return kFetchResultBytes;
  out->set_metadata(offset->metadata);
  return kFetchResultBytes + offset->metadata.size();
}

}  // namespace

ErrorCode GroupCoordinatorCore::CheckCommitter(const message::OffsetCommitRequest& request,
                                               const GroupState* group) const {
  if (const ClassicGroup* classic = FindClassic(request.group_id())) {
    return classic->CheckCommit(request.member_id(), request.instance_id(), request.member_epoch());
  }
  if (request.member_id().empty()) {
    if (!HasRoomForGroup(request.group_id())) return ErrorCode::kLimitReached;
    return group == nullptr || group->membership.members.empty() ? ErrorCode::kNone
                                                                 : ErrorCode::kUnknownMemberId;
  }
  if (IsPlanted(PlantedBug::kZombieCommitAccepted)) return ErrorCode::kNone;
  if (IsPlanted(PlantedBug::kStaticMemberNotFenced) && !request.instance_id().empty()) {
    return ErrorCode::kNone;
  }
  // [G03] Two processes with one instance id: only the newer one commits.
  const GroupMembership& membership = MembershipOf(request.group_id());
  const ErrorCode fenced = CheckInstance(membership, request.instance_id(), request.member_id());
  if (fenced != ErrorCode::kNone) return fenced;
  const auto member = membership.members.find(request.member_id());
  if (member == membership.members.end()) return ErrorCode::kUnknownMemberId;
  const GroupEpoch epoch(request.member_epoch());
  if (member->second.is_classic()) {
    return epoch != member->second.epoch ? ErrorCode::kIllegalGeneration : ErrorCode::kNone;
  }
  return epoch > member->second.epoch ? ErrorCode::kStaleMemberEpoch : ErrorCode::kNone;
}

bool GroupCoordinatorCore::IsNewestAttempt(const message::OffsetCommitRequest& request) {
  if (request.attempt() == 0) return true;
  int64_t& newest = commit_attempts_[{request.group_id(), request.member_id()}];
  if (request.attempt() < newest) return false;
  newest = request.attempt();
  return true;
}

GroupResult<message::OffsetCommitResponse> GroupCoordinatorCore::OffsetCommit(
    const message::OffsetCommitRequest& request, Now now, const GroupTopicView& topics) {
  const ErrorCode invalid = ValidateOffsetCommit(request, options_);
  if (invalid != ErrorCode::kNone) return Refuse(request, invalid);
  const GroupState* group = FindGroup(request.group_id());
  const ErrorCode refused = CheckCommitter(request, group);
  if (refused != ErrorCode::kNone) return Refuse(request, refused);
  classic_.OnCommit(request.group_id(), request.member_id(), now.mono);

  const GroupMember* member = nullptr;
  if (group != nullptr) {
    const auto it = group->membership.members.find(request.member_id());
    if (it != group->membership.members.end()) member = &it->second;
  }
  if (member != nullptr && !IsNewestAttempt(request)) {
    return Refuse(request, ErrorCode::kOperationNotAttempted);
  }
  const GroupEpoch epoch(request.member_epoch());
  size_t offsets = group != nullptr ? group->offsets.size() : 0;
  int64_t growth =
      group != nullptr ? 0 : static_cast<int64_t>(kHeldGroupBytes + request.group_id().size());
  GroupResult<message::OffsetCommitResponse> result;
  for (const CommitPartition& item : request.partitions()) {
    ErrorCode error = CheckPartition(item, topics, options_);
    if (error == ErrorCode::kNone) {
      const TopicPartition partition{*TopicId::FromBytes(item.topic_id()),
                                     PartitionIndex(item.partition())};
      const CommittedOffset* before = group != nullptr ? group->FindOffset(partition) : nullptr;
      CommittedOffset next{.offset = Offset(item.offset()),
                           .leader_epoch = LeaderEpoch(item.leader_epoch()),
                           .metadata = item.metadata(),
                           .commit_time = now.wall};
      const int64_t more = static_cast<int64_t>(HeldBytes(next)) -
                           static_cast<int64_t>(before != nullptr ? HeldBytes(*before) : 0);
      if (member != nullptr && !MayCommit(*member, epoch, partition)) {
        error = member->is_classic() ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
      } else if ((before == nullptr && ++offsets > options_.offsets_per_group_max) ||
                 (more > 0 && !HasRoomForBytes(growth + more, before != nullptr))) {
        error = ErrorCode::kLimitReached;
      } else {
        growth += more;
        result.records.push_back(OffsetRecord(request.group_id(), partition, next));
      }
    }
    AddCommitResult(item, error, result.response);
  }
  return result;
}

ErrorCode GroupCoordinatorCore::CheckReader(const message::OffsetFetchRequest& request,
                                            const GroupState* group) const {
  const ErrorCode invalid = ValidateOffsetFetch(request, options_);
  if (invalid != ErrorCode::kNone) return invalid;
  // Anybody may read the offsets of a classic group.
  if (request.member_id().empty() || FindClassic(request.group_id()) != nullptr) {
    return ErrorCode::kNone;
  }
  const ErrorCode fenced =
      CheckInstance(MembershipOf(request.group_id()), request.instance_id(), request.member_id());
  if (fenced != ErrorCode::kNone) return fenced;
  if (group == nullptr) return ErrorCode::kUnknownMemberId;
  const auto member = group->membership.members.find(request.member_id());
  if (member == group->membership.members.end()) return ErrorCode::kUnknownMemberId;
  const bool current = GroupEpoch(request.member_epoch()) == member->second.epoch;
  return current ? ErrorCode::kNone : ErrorCode::kStaleMemberEpoch;
}

GroupResult<message::OffsetFetchResponse> GroupCoordinatorCore::OffsetFetch(
    const message::OffsetFetchRequest& request) const {
  GroupResult<message::OffsetFetchResponse> result;
  const auto refuse = [&result](ErrorCode error) {
    result.response.Clear();
    result.response.set_error_code(static_cast<int32_t>(error));
    return result;
  };
  const GroupState* group = FindGroup(request.group_id());
  const ErrorCode refused = CheckReader(request, group);
  if (refused != ErrorCode::kNone) return refuse(refused);
  size_t bytes = 0;
  if (request.partitions().empty() && group != nullptr) {
    for (const auto& [partition, offset] : group->offsets) {
      bytes += AddFetchResult(partition.topic_id.ToBytes(), partition.partition.value(), &offset,
                              result.response);
      if (bytes > options_.offset_fetch_bytes_max) return refuse(ErrorCode::kInvalidRequest);
    }
  }
  absl::btree_set<TopicPartition> answered;
  for (const record::TopicPartitions& topic : request.partitions()) {
    const TopicId topic_id = *TopicId::FromBytes(topic.topic_id());
    for (const int32_t index : topic.partitions()) {
      const TopicPartition partition{topic_id, PartitionIndex(index)};
      if (!answered.insert(partition).second) continue;
      const CommittedOffset* offset = group != nullptr ? group->FindOffset(partition) : nullptr;
      bytes += AddFetchResult(topic.topic_id(), index, offset, result.response);
      if (bytes > options_.offset_fetch_bytes_max) return refuse(ErrorCode::kInvalidRequest);
    }
  }
  return result;
}

void GroupCoordinatorCore::DropGoneOffsets(const std::string& group_id, const GroupState& group,
                                           const GroupTopicView& topics,
                                           GroupRecords& records) const {
  GroupRecords removed;
  for (const auto& [partition, offset] : group.offsets) {
    if (records.size() + removed.size() >= options_.records_per_turn_max) break;
    if (topics.FindById(partition.topic_id).has_value()) continue;
    removed.push_back(OffsetRemovedRecord(group_id, partition));
  }
  // Nothing is left of the group: one record says it all.
  if (!removed.empty() && removed.size() == group.offsets.size() &&
      group.membership.members.empty() && FindClassic(group_id) == nullptr) {
    removed.assign(1, GroupRemovedRecord(group_id));
  }
  for (record::GroupRecord& record : removed) records.push_back(std::move(record));
}

}  // namespace quipu
