#include "tests/simulation/checkers/raft_checker.h"

#include <string>

#include "core/raft/raft_core.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

uint64_t HashOf(const message::RaftEntry& entry) {
  uint64_t hash = 0xCBF29CE484222325ULL ^ static_cast<uint64_t>(entry.kind());
  for (const char c : entry.data()) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 0x100000001B3ULL;
  }
  return hash;
}

std::string Name(ControllerId id) { return "controller " + id.ToString(); }

}  // namespace

void RaftChecker::AfterStep(SimController& controller) {
  if (!controller.running()) return;
  const ControllerId id = controller.id();
  const RaftCore& raft = controller.node()->inspector().raft();
  Seen& seen = seen_[id];
  if (seen.incarnation != controller.incarnation()) {
    // What was not on the disk is gone; term and durable end stay.
    seen =
        Seen{.incarnation = controller.incarnation(), .term = seen.term, .durable = seen.durable};
  }
  const bool leads = raft.role() == RaftRole::kLeader;
  const uint64_t term = raft.term().value();
  raft.CheckInvariants();
  // What is on the disk is not forgotten by a restart (I2).
  if (!raft.HasPendingWrites()) {
    Require(term >= seen.term, "I2", [&] {
      return Name(id) + ": the term went back from " + std::to_string(seen.term) + " to " +
             std::to_string(term);
    });
    seen.term = term;
    const ControllerId voted_for = raft.hard_state().voted_for;
    if (voted_for != kNoController) CountVote(id, term, voted_for);
  }
  if (leads) {
    const auto [leader, is_new] = leaders_.try_emplace(term, id);
    Require(leader->second == id, "I1", [&] {
      return Name(id) + " and " + Name(leader->second) + " both lead term " + std::to_string(term);
    });
    if (is_new) ++counters_.leader_changes;
    Require(!seen.leader || raft.last_index().value() >= seen.last_index, "I4",
            [&] { return Name(id) + " cut its log while it led"; });
  }
  if (raft.last_index().value() < seen.last_index) ++counters_.truncations;
  if (raft.log().snapshot_index().value() > seen.last_index && seen.last_index > 0) {
    ++counters_.snapshots_installed;
  }
  seen.leader = leads;
  seen.last_index = raft.last_index().value();
  seen.durable = raft.durable_index().value();
  CheckCommitted(id, raft, seen);
}

void RaftChecker::OnSent(const message::RaftMessage& message) {
  // Who asks for votes has voted for itself.
  if (message.type() == message::RaftMessage::VOTE) {
    CountVote(ControllerId(message.from()), message.term(), ControllerId(message.from()));
  }
  if (message.type() != message::RaftMessage::VOTE_RESPONSE || message.reject()) return;
  CountVote(ControllerId(message.from()), message.term(), ControllerId(message.to()));
}

void RaftChecker::CountVote(ControllerId voter, uint64_t term, ControllerId candidate) {
  const auto [vote, is_new] = votes_.try_emplace({voter, term}, candidate);
  Require(is_new || vote->second == candidate, "I3", [&] {
    return Name(voter) + " voted for " + vote->second.ToString() + " and for " +
           candidate.ToString() + " in term " + std::to_string(term);
  });
}

void RaftChecker::CheckCommitted(ControllerId id, const RaftCore& raft, Seen& seen) {
  const uint64_t commit = raft.commit_index().value();
  Require(commit >= seen.commit, "I8", [&] {
    return Name(id) + ": the commit index fell from " + std::to_string(seen.commit) + " to " +
           std::to_string(commit);
  });
  const uint64_t first = std::max(seen.commit, raft.log().snapshot_index().value()) + 1;
  for (uint64_t index = first; index <= commit; ++index) {
    const message::RaftEntry& entry = raft.log().At(LogIndex(index));
    const Entry here{.term = entry.term(), .hash = HashOf(entry)};
    const auto [known, is_new] = committed_.try_emplace(index, here);
    Require(known->second == here, "I7", [&] {
      return Name(id) + ": committed entry " + std::to_string(index) + " differs from another's";
    });
    if (!is_new) continue;
    // I8: newly committed means durable on a majority, this moment.
    size_t holders = 0;
    for (const auto& [other, state] : seen_) {
      if (state.durable >= index) ++holders;
    }
    Require(2 * holders > cluster_.controllers().size(), "I8", [&] {
      return "entry " + std::to_string(index) + " is committed but durable on " +
             std::to_string(holders) + " voters only";
    });
  }
  seen.commit = commit;
}

}  // namespace quipu::sim
