// I52: a partition is given to nobody before its former owner gave it up or was removed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/client/client_types.h"
#include "proto/message/client.pb.h"
#include "proto/record/group.pb.h"
#include "storage/log_store.h"

namespace quipu::sim {

// Compares two accounts. The committed records of __consumer_offsets tell who is a member and what
// the coordinator gave to whom. The heartbeats tell what each member was told, and what it said
// that it still holds: a member owns a partition from the answer that names it until a heartbeat of
// its own that does not, or until its removal is committed. What a removed member goes on to
// believe (a zombie) is not looked at: its commits are refused (I51).
class OwnershipChecker {
 public:
  // Batches of the coordinator's log, in the order of the log, once they are committed.
  void OnCommitted(const std::vector<StoredBatch>& batches);
  // A heartbeat leaves its member.
  void OnSaid(const message::GroupHeartbeatRequest& request);
  // An answer reaches the member that waits for it.
  void OnTold(const message::GroupHeartbeatRequest& request,
              const message::GroupHeartbeatResponse& response);
  // The same of a member of the classic protocol: its JoinGroup says what it holds, and a SyncGroup
  // tells it what it has.
  void OnClassicSaid(const std::string& group_id, const std::string& member_id,
                     const std::vector<TopicPartition>& holds);
  void OnClassicTold(const std::string& group_id, const std::string& member_id,
                     const std::vector<TopicPartition>& given);
  // Partitions that had been another member's before.
  [[nodiscard]] uint64_t handovers() const { return handovers_; }

 private:
  using Partitions = std::set<TopicPartition>;
  using MemberKey = std::pair<std::string, std::string>;  // group, member
  // What became of a group's members in one batch.
  using GroupRecordsOf = std::map<std::string, std::vector<record::GroupRecord>>;
  void Apply(const record::GroupRecord& record);
  // The group goes over to the other protocol: who is not a member there is none any more.
  void ApplyMove(const std::string& group_id, const std::vector<record::GroupRecord>& records);
  void ApplyMember(const record::GroupMember& record);
  void RequireFree(const MemberKey& owner, const TopicPartition& partition) const;

  std::map<MemberKey, Partitions> given_;  // of every member: assigned or not yet given up
  std::map<MemberKey, Partitions> owned_;  // told, and not said to have been given up
  std::set<MemberKey> went_over_;          // members when the group last changed its protocol
  std::map<std::pair<std::string, TopicPartition>, std::string> last_;  // who was given it last
  uint64_t handovers_ = 0;
};

}  // namespace quipu::sim
