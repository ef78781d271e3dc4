#include "core/coordinator/classic/classic_state.h"

namespace quipu {

record::GroupRecord ClassicGroupRecord(const std::string& group_id,
                                       const ClassicMembership& membership) {
  record::GroupRecord result;
  record::ClassicGroup* out = result.mutable_classic_group();
  out->set_group_id(group_id);
  out->set_generation(membership.generation);
  out->set_protocol_type(membership.protocol_type);
  out->set_protocol(membership.protocol);
  out->set_leader(membership.leader);
  out->set_rebalance_due(membership.rebalance_due);
  out->set_empty_since_ms(membership.empty_since.value());
  for (const auto& [member_id, member] : membership.members) {
    record::ClassicGroup::Member* entry = out->add_members();
    entry->set_member_id(member_id);
    entry->set_instance_id(member.instance_id);
    entry->set_client_id(member.client_id);
    entry->set_client_host(member.client_host);
    entry->set_session_timeout_ms(member.session_timeout_ms);
    entry->set_rebalance_timeout_ms(member.rebalance_timeout_ms);
    entry->set_subscription(member.subscription);
    entry->set_assignment(member.assignment);
  }
  return result;
}

ClassicMembership ClassicFromRecord(const record::ClassicGroup& record) {
  ClassicMembership membership;
  membership.generation = record.generation();
  membership.protocol_type = record.protocol_type();
  membership.protocol = record.protocol();
  membership.leader = record.leader();
  membership.rebalance_due = record.rebalance_due();
  membership.empty_since = TimestampMs(record.empty_since_ms());
  for (const record::ClassicGroup::Member& entry : record.members()) {
    membership.members[entry.member_id()] = {.instance_id = entry.instance_id(),
                                             .client_id = entry.client_id(),
                                             .client_host = entry.client_host(),
                                             .session_timeout_ms = entry.session_timeout_ms(),
                                             .rebalance_timeout_ms = entry.rebalance_timeout_ms(),
                                             .subscription = entry.subscription(),
                                             .assignment = entry.assignment()};
  }
  return membership;
}

}  // namespace quipu
