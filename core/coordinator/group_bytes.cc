#include "core/coordinator/group_bytes.h"

namespace quipu {
namespace {

size_t TextBytes(const std::vector<std::string>& texts) {
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += sizeof(std::string) + text.size();
  return bytes;
}

}  // namespace

size_t HeldBytes(const GroupMember& member) {
  return kHeldMemberBytes + member.member_id.size() + member.client_id.size() +
         member.client_host.size() + member.instance_id.size() + member.replaced_member_id.size() +
         member.assignor.size() + TextBytes(member.subscribed_topics) +
         TextBytes(member.classic_protocols) + member.target.size() * sizeof(TopicPartition) +
         (member.assigned.size() + member.pending_revocation.size()) * sizeof(AssignedPartition);
}

size_t HeldBytes(const GroupMembership& membership) {
  size_t bytes = membership.assignor.size();
  for (const auto& [member_id, member] : membership.members) bytes += HeldBytes(member);
  return bytes;
}

size_t HeldBytes(const ClassicMembership& membership) {
  size_t bytes =
      membership.protocol_type.size() + membership.protocol.size() + membership.leader.size();
  for (const auto& [member_id, member] : membership.members) {
    bytes += kHeldMemberBytes + member_id.size() + member.instance_id.size() +
             member.client_id.size() + member.client_host.size() + member.subscription.size() +
             member.assignment.size();
  }
  return bytes;
}

size_t HeldBytes(const CommittedOffset& offset) {
  return kHeldOffsetBytes + offset.metadata.size();
}

size_t HeldBytes(const std::string& group_id, const GroupState& group) {
  size_t bytes =
      kHeldGroupBytes + group_id.size() + HeldBytes(group.membership) + HeldBytes(group.classic);
  for (const auto& [partition, offset] : group.offsets) bytes += HeldBytes(offset);
  return bytes;
}

}  // namespace quipu
