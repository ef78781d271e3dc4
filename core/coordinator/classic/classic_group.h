// One classic group as it is right now: members, what they wait for, and the rules that need no
// clock. Soft state; what is durable of it is a ClassicMembership.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "base/error_code.h"
#include "core/coordinator/classic/classic_messages.h"
#include "core/coordinator/classic/classic_state.h"

namespace quipu {

// Kafka's states; a group that is Dead is not there.
enum class ClassicGroupState {
  kEmpty,                // no members
  kPreparingRebalance,   // waits for all members to join
  kCompletingRebalance,  // waits for the leader's assignment
  kStable,
};

// Kafka's name of the state, such as "PreparingRebalance".
const char* ClassicStateName(ClassicGroupState state);

struct LiveClassicMember {
  std::string instance_id;
  std::string client_id;
  std::string client_host;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;
  std::vector<ClassicProtocol> protocols;  // its favourite first
  std::string assignment;
  std::optional<uint64_t> join_token;  // its JoinGroup that waits
  std::optional<uint64_t> sync_token;  // its SyncGroup that waits
  bool is_new = false;                 // was never told that it is a member
};

// What the member takes in memory, about.
size_t HeldBytes(const std::string& member_id, const LiveClassicMember& member);

struct ClassicGroup {
  std::string id;
  ClassicGroupState state = ClassicGroupState::kEmpty;
  int32_t generation = 0;
  std::string protocol_type;
  std::string protocol;  // chosen for this generation; empty: none yet
  std::string leader;    // empty exactly when there are no members
  absl::btree_map<std::string, LiveClassicMember> members;  // by member id
  absl::btree_set<std::string> pending_members;  // were told a member id and have not joined yet
  absl::flat_hash_map<std::string, size_t> knowing;  // by protocol: members that know it
  size_t members_bytes = 0;                          // what members and pending ones take, about
  size_t counted_bytes = 0;                          // of it, what ClassicGroups counts in its sum
  absl::btree_set<std::string> pending_syncs;  // know this generation, not yet their assignment

  // ---- the first rebalance of an empty group, while kPreparingRebalance ----
  bool is_initial = false;
  bool new_member_added = false;  // since the delay under way began
  int32_t delay_ms = 0;           // the delay under way
  int32_t remaining_ms = 0;       // what it can still be extended by

  // As its last completed rebalance left it. It is kStable, or kEmpty.
  static ClassicGroup FromDurable(const std::string& group_id, const ClassicMembership& durable);
  // What is to be durable of it in kStable and kEmpty.
  [[nodiscard]] ClassicMembership ToDurable() const;

  // nullptr: not a member.
  LiveClassicMember* Find(const std::string& member_id);
  [[nodiscard]] const LiveClassicMember* Find(const std::string& member_id) const;
  // Member id of the static member of this instance id; empty: there is none.
  [[nodiscard]] std::string MemberOfInstance(const std::string& instance_id) const;
  // Whether the sender is a member: kNone, kUnknownMemberId, kFencedInstanceId.
  [[nodiscard]] ErrorCode CheckMember(const std::string& member_id,
                                      const std::string& instance_id) const;
  // Whether a commit of offsets with these ids may be taken: the above, kIllegalGeneration, and
  // kRebalanceInProgress while no assignment holds. The group has members.
  [[nodiscard]] ErrorCode CheckCommit(const std::string& member_id, const std::string& instance_id,
                                      int32_t member_generation) const;

  // Whether a member with these could take part: one protocol is common to all.
  [[nodiscard]] bool Supports(const std::string& type,
                              const std::vector<ClassicProtocol>& protocols) const;
  // The common protocol that most members prefer; of several the first by name. Needs members.
  [[nodiscard]] std::string SelectProtocol() const;
  // The longest of all members, 0 without members.
  [[nodiscard]] int32_t RebalanceTimeoutMs() const;
  [[nodiscard]] size_t AwaitingJoin() const;
  // All members wait in a JoinGroup, and nobody who was told an id is missing.
  [[nodiscard]] bool HasAllJoined() const;
  // What the group takes in memory, about.
  [[nodiscard]] size_t HeldBytes() const;
  // What the group's record takes at most, without assignments and without the member `except`.
  [[nodiscard]] size_t MetadataBytes(const std::string& except) const;
  // For the leader: every member's metadata for the chosen protocol.
  [[nodiscard]] std::vector<ClassicJoinAnswer::Member> MembersForLeader() const;

  // ---- changes ----
  // The first one leads.
  LiveClassicMember& Add(const std::string& member_id, LiveClassicMember member);
  // The member says something else of itself: `change` is called with it.
  template <typename Change>
  void Alter(const std::string& member_id, Change change) {
    LiveClassicMember& member = members.at(member_id);
    Uncount(member_id, member);
    change(member);
    Count(member_id, member);
  }
  void SetAssignment(LiveClassicMember& member, std::string assignment);
  void AddPending(const std::string& member_id);
  // False: it was none.
  bool RemovePending(const std::string& member_id);
  // Another member leads when it led.
  void Remove(const std::string& member_id);
  // The static member goes on under a new id, with all that it has but for what it waited for.
  LiveClassicMember& Rename(const std::string& from, const std::string& to);
  // Makes a member that has joined the leader, if the leader has not. False: nobody has joined.
  bool ElectJoinedLeader();

  // `knowing` and `members_bytes` are what they are by the members; aborts when not.
  void CheckCounts() const;

 private:
  [[nodiscard]] bool AllKnow(const std::string& name) const;
  void Count(const std::string& member_id, const LiveClassicMember& member);
  void Uncount(const std::string& member_id, const LiveClassicMember& member);
};

// [G03] The durable state with the members in the places of static ones that were told that they
// are: a coordinator that takes over from there fences who had the place before, not who has it.
ClassicMembership WithPlacesTaken(const ClassicMembership& durable, const ClassicGroup& live);

// What the member sent for `protocol`; empty when it does not know it.
const std::string& MetadataFor(const LiveClassicMember& member, const std::string& protocol);

}  // namespace quipu
