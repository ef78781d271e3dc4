// The durable state of consumer groups as plain values, and its records.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/ids.h"
#include "core/coordinator/classic/classic_state.h"
#include "proto/record/group.pb.h"

namespace quipu {

// Raised whenever a group's target assignment has to change. A member's epoch is the group epoch of
// the target assignment that it has reached; 0: none yet.
using GroupEpoch = StrongInt<struct GroupEpochTag, int32_t>;

struct TopicPartition {
  TopicId topic_id;
  PartitionIndex partition;
  friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// Sorted, without duplicates.
using TopicPartitions = std::vector<TopicPartition>;

// A partition and the member epoch at which it was given to its member (KIP-1251).
struct AssignedPartition {
  TopicPartition partition;
  GroupEpoch epoch;
  friend bool operator==(const AssignedPartition&, const AssignedPartition&) = default;
};

struct GroupMember {
  std::string member_id;
  GroupEpoch epoch;
  GroupEpoch previous_epoch;
  std::string client_id;
  std::string client_host;
  std::string instance_id;                     // group.instance.id; empty: a dynamic member
  std::string replaced_member_id;              // of a static member: whose place it took last
  std::string assignor;                        // what it asks for; empty: none
  std::vector<std::string> subscribed_topics;  // sorted, without duplicates
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;
  // The client-side assignors that a member of the classic protocol knows, its favourite first;
  // empty: it sends heartbeats of KIP-848.
  std::vector<std::string> classic_protocols;
  // All three sorted by partition. A partition is in at most one of the first two.
  std::vector<AssignedPartition> assigned;            // given to the member
  std::vector<AssignedPartition> pending_revocation;  // to be given up before the epoch moves
  TopicPartitions target;

  [[nodiscard]] bool is_classic() const { return !classic_protocols.empty(); }
  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};

// A group without its offsets: the part that a rebalance changes, cheap enough to copy.
struct GroupMembership {
  GroupEpoch epoch;             // the group epoch
  GroupEpoch assignment_epoch;  // that of the newest target assignment
  std::string assignor;
  TimestampMs empty_since{0};  // when the last member went; 0: it has members, or never had any
  absl::btree_map<std::string, GroupMember> members;  // by member id

  friend bool operator==(const GroupMembership&, const GroupMembership&) = default;
};

struct CommittedOffset {
  Offset offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
  TimestampMs commit_time = kNoTimestamp;

  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

// At most one of `membership` and `classic` has members.
struct GroupState {
  GroupMembership membership;
  ClassicMembership classic;
  absl::btree_map<TopicPartition, CommittedOffset> offsets;

  // nullptr: nothing is committed.
  [[nodiscard]] const CommittedOffset* FindOffset(const TopicPartition& partition) const {
    const auto it = offsets.find(partition);
    return it != offsets.end() ? &it->second : nullptr;
  }
  friend bool operator==(const GroupState&, const GroupState&) = default;
};

// nullptr when the partition is not there.
const AssignedPartition* FindAssigned(const std::vector<AssignedPartition>& partitions,
                                      const TopicPartition& partition);
// The partitions alone.
TopicPartitions PartitionsOf(const std::vector<AssignedPartition>& partitions);
// `partition` of neither list.
bool Contains(const TopicPartitions& partitions, const TopicPartition& partition);

// The static member of this instance id; nullptr: there is none, or `instance_id` is empty.
const GroupMember* FindInstance(const GroupMembership& membership, const std::string& instance_id);

// The client-side assignors that every member of the classic protocol knows, in the first one's
// order. Empty also when there is no such member.
std::vector<std::string> CommonClassicProtocols(const GroupMembership& membership);

// Whether the member has reached the newest target assignment and owns all of it.
bool IsSettled(const GroupMembership& membership, const GroupMember& member);

// ---- records ----
using GroupRecords = std::vector<record::GroupRecord>;
using TopicPartitionsField = google::protobuf::RepeatedPtrField<record::TopicPartitions>;

// One entry per topic, in order.
void ToProto(const TopicPartitions& partitions, TopicPartitionsField* out);
// Sorted and without duplicates, whatever the order in `field`. Topic ids that are not 16 bytes
// are left out.
TopicPartitions FromProto(const TopicPartitionsField& field);
// Number of partitions in `field`, duplicates included.
size_t CountPartitions(const TopicPartitionsField& field);

record::GroupRecord GroupMetadataRecord(const std::string& group_id,
                                        const GroupMembership& membership);
record::GroupRecord MemberRecord(const std::string& group_id, const GroupMember& member);
record::GroupRecord MemberRemovedRecord(const std::string& group_id, const std::string& member_id);
record::GroupRecord OffsetRecord(const std::string& group_id, const TopicPartition& partition,
                                 const CommittedOffset& offset);
record::GroupRecord OffsetRemovedRecord(const std::string& group_id,
                                        const TopicPartition& partition);
record::GroupRecord GroupRemovedRecord(const std::string& group_id);

GroupMember MemberFromRecord(const record::GroupMember& record);

// The records that lead from `before` to `after`, empty when they are equal.
std::vector<record::GroupRecord> MembershipChange(const std::string& group_id,
                                                  const GroupMembership& before,
                                                  const GroupMembership& after);

}  // namespace quipu
