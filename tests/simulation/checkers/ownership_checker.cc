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
  for (const StoredBatch& batch : batches) {
    GroupRecordsOf moved;
    std::vector<record::GroupRecord> all;
    ForEachGroupRecord({batch}, [&](const record::GroupRecord& record) {
      all.push_back(record);
      if (record.has_classic_group()) moved[record.classic_group().group_id()];
    });
    for (const record::GroupRecord& record : all) {
      const auto of_member = moved.find(record.has_member() ? record.member().group_id() : "");
      if (of_member != moved.end()) of_member->second.push_back(record);
      const auto of_group =
          moved.find(record.has_classic_group() ? record.classic_group().group_id() : "");
      if (of_group != moved.end()) of_group->second.push_back(record);
    }
    for (const auto& [group_id, records] : moved) ApplyMove(group_id, records);
    for (const record::GroupRecord& record : all) {
      const bool goes_on =
          record.has_member_removed() && moved.contains(record.member_removed().group_id());
      if (goes_on) {
        given_.erase({record.member_removed().group_id(), record.member_removed().member_id()});
      } else {
        Apply(record);
      }
    }
  }
}

void OwnershipChecker::ApplyMove(const std::string& group_id,
                                 const std::vector<record::GroupRecord>& records) {
  std::set<std::string> members;
  for (const record::GroupRecord& record : records) {
    if (record.has_member()) members.insert(record.member().member_id());
    for (const auto& member : record.classic_group().members()) members.insert(member.member_id());
  }
  const auto is_gone = [&](const MemberKey& key) {
    return key.first == group_id && !members.contains(key.second);
  };
  std::erase_if(owned_, [&](const auto& entry) { return is_gone(entry.first); });
  std::erase_if(went_over_, is_gone);
  for (const std::string& member : members) went_over_.insert({group_id, member});
}

void OwnershipChecker::Apply(const record::GroupRecord& record) {
  if (record.has_member()) ApplyMember(record.member());
  if (record.has_member_removed()) {
    const MemberKey key(record.member_removed().group_id(), record.member_removed().member_id());
    given_.erase(key);
    owned_.erase(key);
    went_over_.erase(key);
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
    const bool counts = other.first == owner.first && other != owner;
    Require(!counts || !given.contains(partition), "I52", [&] {
      return "partition index " + partition.partition.ToString() + " was given to member " +
             owner.second + " while " + other.second + " still had it by the coordinator's log";
    });
  }
  for (const auto& [other, owned] : owned_) {
    if (other.first != owner.first || other == owner) continue;
    const bool is_member = given_.contains(other) || went_over_.contains(other);
    Require(!is_member || !owned.contains(partition), "I52", [&] {
      return "partition index " + partition.partition.ToString() + " was given to member " +
             owner.second + " while " + other.second + " had not given it up";
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
  // It gives up everything, and joins under another id.
  if (response.error_code() == static_cast<int32_t>(ErrorCode::kUnknownMemberId)) {
    owned_.erase({request.group_id(), request.member_id()});
  }
  if (response.error_code() != 0 || !response.assignment_present()) return;
  if (request.member_epoch() < 0) return;
  Partitions& owned = owned_[{request.group_id(), request.member_id()}];
  for (const TopicPartition& partition : ToPartitions(response.assignment())) {
    owned.insert(partition);
  }
}

void OwnershipChecker::OnClassicSaid(const std::string& group_id, const std::string& member_id,
                                     const std::vector<TopicPartition>& holds) {
  if (member_id.empty()) return;
  Partitions& owned = owned_[{group_id, member_id}];
  Partitions still;
  for (const TopicPartition& partition : holds) {
    if (owned.contains(partition)) still.insert(partition);
  }
  owned = std::move(still);
}

void OwnershipChecker::OnClassicTold(const std::string& group_id, const std::string& member_id,
                                     const std::vector<TopicPartition>& given) {
  owned_[{group_id, member_id}].insert(given.begin(), given.end());
}

}  // namespace quipu::sim
