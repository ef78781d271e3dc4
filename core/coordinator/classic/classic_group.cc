#include "core/coordinator/classic/classic_group.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/coordinator/group_bytes.h"

namespace quipu {
namespace {

constexpr size_t kMemberOverheadBytes = 64;  // of a member in a record, beside its texts

// Each once, however often the member names it.
absl::flat_hash_set<absl::string_view> NamesOf(const LiveClassicMember& member) {
  absl::flat_hash_set<absl::string_view> names;
  for (const ClassicProtocol& known : member.protocols) names.insert(known.name);
  return names;
}

size_t PendingBytes(const std::string& member_id) { return kHeldMemberBytes + member_id.size(); }

}  // namespace

size_t HeldBytes(const std::string& member_id, const LiveClassicMember& member) {
  size_t bytes = kHeldMemberBytes + member_id.size() + member.instance_id.size() +
                 member.client_id.size() + member.client_host.size() + member.assignment.size();
  // Names are kept a second time, to count who knows them.
  for (const ClassicProtocol& known : member.protocols) {
    bytes += sizeof(ClassicProtocol) + 2 * known.name.size() + known.metadata.size();
  }
  return bytes;
}

const char* ClassicStateName(ClassicGroupState state) {
  switch (state) {
    case ClassicGroupState::kEmpty:
      return "Empty";
    case ClassicGroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case ClassicGroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case ClassicGroupState::kStable:
      return "Stable";
  }
  return "";
}

const std::string& MetadataFor(const LiveClassicMember& member, const std::string& protocol) {
  static const std::string kNothing;
  for (const ClassicProtocol& known : member.protocols) {
    if (known.name == protocol) return known.metadata;
  }
  return kNothing;
}

ClassicMembership WithPlacesTaken(const ClassicMembership& durable, const ClassicGroup& live) {
  ClassicMembership taken = durable;
  for (const auto& [member_id, member] : live.members) {
    if (member.instance_id.empty() || member.is_new) continue;
    const auto place = std::find_if(
        taken.members.begin(), taken.members.end(),
        [&](const auto& item) { return item.second.instance_id == member.instance_id; });
    if (place == taken.members.end() || place->first == member_id) continue;
    if (taken.leader == place->first) taken.leader = member_id;
    ClassicMember moved = std::move(place->second);
    taken.members.erase(place);
    taken.members[member_id] = std::move(moved);
  }
  return taken;
}

ClassicGroup ClassicGroup::FromDurable(const std::string& group_id,
                                       const ClassicMembership& durable) {
  ClassicGroup group;
  group.id = group_id;
  group.generation = IsPlanted(PlantedBug::kClassicGenerationReused) ? 0 : durable.generation;
  group.protocol_type = durable.protocol_type;
  group.protocol = durable.protocol;
  group.leader = durable.leader;
  for (const auto& [member_id, member] : durable.members) {
    LiveClassicMember& live = group.members[member_id];
    live.instance_id = member.instance_id;
    live.client_id = member.client_id;
    live.client_host = member.client_host;
    live.session_timeout_ms = member.session_timeout_ms;
    live.rebalance_timeout_ms = member.rebalance_timeout_ms;
    live.protocols = {{.name = durable.protocol, .metadata = member.subscription}};
    live.assignment = member.assignment;
    group.Count(member_id, live);
  }
  if (!group.members.empty()) group.state = ClassicGroupState::kStable;
  return group;
}

ClassicMembership ClassicGroup::ToDurable() const {
  ClassicMembership durable;
  durable.generation = generation;
  durable.protocol_type = protocol_type;
  durable.protocol = protocol;
  durable.leader = leader;
  for (const auto& [member_id, member] : members) {
    durable.members[member_id] = {.instance_id = member.instance_id,
                                  .client_id = member.client_id,
                                  .client_host = member.client_host,
                                  .session_timeout_ms = member.session_timeout_ms,
                                  .rebalance_timeout_ms = member.rebalance_timeout_ms,
                                  .subscription = MetadataFor(member, protocol),
                                  .assignment = member.assignment};
  }
  return durable;
}

LiveClassicMember* ClassicGroup::Find(const std::string& member_id) {
  const auto it = members.find(member_id);
  return it != members.end() ? &it->second : nullptr;
}

const LiveClassicMember* ClassicGroup::Find(const std::string& member_id) const {
  const auto it = members.find(member_id);
  return it != members.end() ? &it->second : nullptr;
}

std::string ClassicGroup::MemberOfInstance(const std::string& instance_id) const {
  if (instance_id.empty()) return "";
  for (const auto& [member_id, member] : members) {
    if (member.instance_id == instance_id) return member_id;
  }
  return "";
}

ErrorCode ClassicGroup::CheckMember(const std::string& member_id,
                                    const std::string& instance_id) const {
  if (!instance_id.empty()) {
    const std::string holder = MemberOfInstance(instance_id);
    if (holder.empty()) return ErrorCode::kUnknownMemberId;
    if (holder != member_id) return ErrorCode::kFencedInstanceId;
  }
  return Find(member_id) != nullptr ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
}

ErrorCode ClassicGroup::CheckCommit(const std::string& member_id, const std::string& instance_id,
                                    int32_t member_generation) const {
  if (const ErrorCode error = CheckMember(member_id, instance_id); error != ErrorCode::kNone) {
    return error;
  }
  if (IsPlanted(PlantedBug::kClassicCommitNotFenced)) return ErrorCode::kNone;
  if (member_generation != generation) return ErrorCode::kIllegalGeneration;
  // It has heard of the new generation, so what it commits was read before it gave everything up.
  // It is to join again rather than to be told that all is well.
  return state == ClassicGroupState::kCompletingRebalance ? ErrorCode::kRebalanceInProgress
                                                          : ErrorCode::kNone;
}

bool ClassicGroup::Supports(const std::string& type,
                            const std::vector<ClassicProtocol>& protocols) const {
  if (type.empty() || protocols.empty()) return false;
  if (members.empty()) return true;
  return type == protocol_type &&
         std::any_of(protocols.begin(), protocols.end(),
                     [this](const ClassicProtocol& offered) { return AllKnow(offered.name); });
}

std::string ClassicGroup::SelectProtocol() const {
  absl::btree_map<std::string, size_t> votes;
  for (const auto& [member_id, member] : members) {
    const auto vote =
        std::find_if(member.protocols.begin(), member.protocols.end(),
                     [this](const ClassicProtocol& known) { return AllKnow(known.name); });
    QUIPU_CHECK(vote != member.protocols.end());
    ++votes[vote->name];
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  QUIPU_CHECK(most != votes.end());
  return most->first;
}

int32_t ClassicGroup::RebalanceTimeoutMs() const {
  int32_t longest = 0;
  for (const auto& [member_id, member] : members) {
    longest = std::max(longest, member.rebalance_timeout_ms);
  }
  return longest;
}

size_t ClassicGroup::AwaitingJoin() const {
  return static_cast<size_t>(std::count_if(members.begin(), members.end(), [](const auto& item) {
    return item.second.join_token.has_value();
  }));
}

bool ClassicGroup::HasAllJoined() const {
  return pending_members.empty() && AwaitingJoin() == members.size();
}

bool ClassicGroup::AllKnow(const std::string& name) const {
  const auto it = knowing.find(name);
  return it != knowing.end() && it->second == members.size();
}

void ClassicGroup::Count(const std::string& member_id, const LiveClassicMember& member) {
  members_bytes += quipu::HeldBytes(member_id, member);
  for (const absl::string_view name : NamesOf(member)) ++knowing[name];
}

void ClassicGroup::Uncount(const std::string& member_id, const LiveClassicMember& member) {
  members_bytes -= quipu::HeldBytes(member_id, member);
  for (const absl::string_view name : NamesOf(member)) {
    const auto it = knowing.find(name);
    QUIPU_CHECK(it != knowing.end());
    if (--it->second == 0) knowing.erase(it);
  }
}

void ClassicGroup::CheckCounts() const {
  ClassicGroup counted;
  for (const auto& [member_id, member] : members) counted.Count(member_id, member);
  for (const std::string& member_id : pending_members) counted.AddPending(member_id);
  QUIPU_CHECK(counted.knowing == knowing);
  QUIPU_CHECK(counted.members_bytes == members_bytes);
}

size_t ClassicGroup::HeldBytes() const {
  return kHeldGroupBytes + id.size() + protocol_type.size() + members_bytes;
}

size_t ClassicGroup::MetadataBytes(const std::string& except) const {
  size_t bytes = kMemberOverheadBytes + id.size() + protocol_type.size();
  for (const auto& [member_id, member] : members) {
    if (member_id == except) continue;
    size_t largest = 0;
    for (const ClassicProtocol& known : member.protocols) {
      largest = std::max(largest, known.metadata.size());
    }
    bytes += kMemberOverheadBytes + member_id.size() + member.instance_id.size() +
             member.client_id.size() + member.client_host.size() + largest;
  }
  return bytes;
}

std::vector<ClassicJoinAnswer::Member> ClassicGroup::MembersForLeader() const {
  std::vector<ClassicJoinAnswer::Member> result;
  result.reserve(members.size());
  for (const auto& [member_id, member] : members) {
    result.push_back({.member_id = member_id,
                      .instance_id = member.instance_id,
                      .metadata = MetadataFor(member, protocol)});
  }
  return result;
}

LiveClassicMember& ClassicGroup::Add(const std::string& member_id, LiveClassicMember member) {
  if (members.empty()) leader = member_id;
  RemovePending(member_id);
  const auto [it, added] = members.emplace(member_id, std::move(member));
  QUIPU_CHECK(added);
  Count(member_id, it->second);
  return it->second;
}

void ClassicGroup::SetAssignment(LiveClassicMember& member, std::string assignment) {
  members_bytes += assignment.size() - member.assignment.size();
  member.assignment = std::move(assignment);
}

void ClassicGroup::AddPending(const std::string& member_id) {
  if (pending_members.insert(member_id).second) members_bytes += PendingBytes(member_id);
}

bool ClassicGroup::RemovePending(const std::string& member_id) {
  if (pending_members.erase(member_id) == 0) return false;
  members_bytes -= PendingBytes(member_id);
  return true;
}

void ClassicGroup::Remove(const std::string& member_id) {
  const auto it = members.find(member_id);
  QUIPU_CHECK(it != members.end());
  Uncount(member_id, it->second);
  members.erase(it);
  pending_syncs.erase(member_id);
  if (leader == member_id) leader = members.empty() ? "" : members.begin()->first;
}

LiveClassicMember& ClassicGroup::Rename(const std::string& from, const std::string& to) {
  const auto it = members.find(from);
  QUIPU_CHECK(it != members.end());
  LiveClassicMember member = std::move(it->second);
  members_bytes += to.size() - from.size();
  members.erase(it);
  member.join_token.reset();
  member.sync_token.reset();
  if (pending_syncs.erase(from) == 1) pending_syncs.insert(to);
  if (leader == from) leader = to;
  return members[to] = std::move(member);
}

bool ClassicGroup::ElectJoinedLeader() {
  const LiveClassicMember* current = Find(leader);
  if (current != nullptr && current->join_token) return true;
  for (const auto& [member_id, member] : members) {
    if (!member.join_token) continue;
    leader = member_id;
    return true;
  }
  return false;
}

}  // namespace quipu
