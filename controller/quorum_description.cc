// What `quipu controller status` and `quipu cluster status` show of the controllers.
#include "controller/active_controller.h"
#include "core/raft/raft_core.h"

namespace quipu {
namespace {

void Fill(const RaftCore& raft, const RaftVoter& voter, Instant now,
          message::DescribeQuorumResult::Voter& row) {
  row.set_id(voter.identity.id.value());
  row.set_directory_id(voter.identity.directory_id.ToBytes());
  row.set_endpoint(voter.endpoint);
  if (voter.identity == raft.options().self) {
    row.set_match_index(raft.durable_index().value());
    row.set_last_contact_ms(0);
    return;
  }
  if (const Progress* progress = raft.ProgressOf(voter.identity)) {
    row.set_match_index(progress->match().value());
  }
  const std::optional<Duration> silence = raft.SilenceOf(voter.identity, now);
  row.set_last_contact_ms(silence ? ToMillis(*silence) : -1);
}

}  // namespace

message::DescribeQuorumResult DescribeQuorum(const RaftCore& raft, Instant now) {
  message::DescribeQuorumResult out;
  out.set_leader_id(raft.leader().value());
  out.set_term(raft.term().value());
  out.set_commit_index(raft.commit_index().value());
  out.set_log_start_index(raft.log().snapshot_index().value());
  for (const RaftVoter& voter : raft.voters().members()) Fill(raft, voter, now, *out.add_voters());
  if (raft.voters().joining()) Fill(raft, *raft.voters().joining(), now, *out.mutable_joining());
  out.set_voters_committed(raft.VotersAreCommitted());
  return out;
}

}  // namespace quipu
