// What `quipu cluster status` shows of the controllers.
#include "controller/active_controller.h"
#include "core/raft/raft_core.h"

namespace quipu {

message::DescribeQuorumResult DescribeQuorum(const RaftCore& raft, const ControllerConfig& config) {
  message::DescribeQuorumResult out;
  out.set_leader_id(raft.leader().value());
  out.set_term(raft.term().value());
  out.set_commit_index(raft.commit_index().value());
  out.set_log_start_index(raft.log().snapshot_index().value());
  for (const Voter& voter : config.voters) {
    message::DescribeQuorumResult::Voter* row = out.add_voters();
    row->set_id(voter.id.value());
    const Progress* progress = raft.ProgressOf(voter.id);
    if (voter.id == config.controller_id) {
      row->set_match_index(raft.durable_index().value());
    } else if (progress != nullptr) {
      row->set_match_index(progress->match().value());
    }
    row->set_last_contact_ms(voter.id == config.controller_id ? 0 : -1);  // -1: not measured
  }
  return out;
}

}  // namespace quipu
