#include "tests/simulation/checkers/ownership_checker.h"

#include "tests/simulation/checkers/group_records.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

// The client's TopicPartition: it and the coordinator's are never seen by one source file.
std::vector<TopicPartition> ToPartitions(
    const google::protobuf::RepeatedPtrField<record::TopicPartitions>& topics) {
  std::vector<TopicPartition> partitions;
  for (const record::TopicPartitions& topic : topics) {
    const auto id = Uuid::FromBytes(topic.topic_id());
    Require(id.has_value(), "I52", [] { return std::string("a topic id is not a UUID"); });
    for (const int32_t partition : topic.partitions()) {
      partitions.push_back({*id, PartitionIndex(partition)});
    }
  }
  return partitions;
}

}  // namespace

void OwnershipChecker::OnCommitted(const std::vector<StoredBatch>& batches) {
  ForEachGroupRecord(batches, [this](const record::GroupRecord& record) { Apply(record); });
}

void OwnershipChecker::Apply(const record::GroupRecord& record) {
  if (record.has_member()) ApplyMember(record.member());
  if (record.has_member_removed()) {
    const MemberKey key(record.member_removed().group_id(), record.member_removed().member_id());
    given_.erase(key);
    owned_.erase(key);
  }
  if (record.has_group_removed()) {
    const auto of_group = [&](const auto& entry) {
      return entry.first.first == record.group_removed().group_id();
    };
    std::erase_if(given_, of_group);
    std::erase_if(owned_, of_group);
  }
}

void OwnershipChecker::ApplyMember(const record::GroupMember& record) {
  const MemberKey key(record.group_id(), record.member_id());
  Partitions given;
  for (const TopicPartition& partition : ToPartitions(record.assigned())) given.insert(partition);
  for (const TopicPartition& partition : ToPartitions(record.pending_revocation())) {
    given.insert(partition);
  }
  Partitions& before = given_[key];
  for (const TopicPartition& partition : given) {
    if (before.contains(partition)) continue;
    RequireFree(key, partition);
    std::string& last = last_[{key.first, partition}];
    if (!last.empty() && last != key.second) ++handovers_;
    last = key.second;
  }
  before = std::move(given);
}

void OwnershipChecker::RequireFree(const MemberKey& owner, const TopicPartition& partition) const {
  for (const auto& [other, given] : given_) {
    if (other.first != owner.first || other == owner) continue;
    const auto owned = owned_.find(other);
    const bool holds = owned != owned_.end() && owned->second.contains(partition);
    Require(!given.contains(partition) && !holds, "I52", [&] {
      return "partition index " + partition.partition.ToString() + " was given to member " +
             owner.second + " while " + other.second +
             (holds ? " had not given it up" : " still had it by the coordinator's log");
    });
  }
}

void OwnershipChecker::OnSaid(const message::GroupHeartbeatRequest& request) {
  Partitions& owned = owned_[{request.group_id(), request.member_id()}];
  // Who joins or leaves holds nothing.
  if (request.member_epoch() <= 0) return owned.clear();
  if (!request.owned_present()) return;
  Partitions still;
  for (const TopicPartition& partition : ToPartitions(request.owned())) {
    if (owned.contains(partition)) still.insert(partition);
  }
  owned = std::move(still);
}

void OwnershipChecker::OnTold(const message::GroupHeartbeatRequest& request,
                              const message::GroupHeartbeatResponse& response) {
  if (response.error_code() != 0 || !response.assignment_present()) return;
  if (request.member_epoch() < 0) return;
  Partitions& owned = owned_[{request.group_id(), request.member_id()}];
  for (const TopicPartition& partition : ToPartitions(response.assignment())) {
    owned.insert(partition);
  }
}

}  // namespace quipu::sim
