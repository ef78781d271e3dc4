#include "tests/simulation/checkers/raft_checker.h"

#include <functional>
#include <string>

#include "core/raft/raft_core.h"
#include "tests/simulation/checkers/violation.h"
#include "tests/unit/core/raft/quorum_overlap.h"

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
// A machine whose disk was lost has had other identities before.
std::string Name(const RaftIdentity& who) {
  return Name(who.id) + " (" + who.directory_id.ToText().substr(0, 4) + ")";
}

}  // namespace

void RaftChecker::AfterStep(SimController& controller) {
  if (!controller.running()) return;
  const ControllerId id = controller.id();
  const RaftCore& raft = controller.node()->inspector().raft();
  const RaftIdentity self{id, controller.directory_id()};
  Seen& seen = seen_[self.directory_id];
  if (seen.incarnation != controller.incarnation()) {
    // What was not on the disk is gone; the rest stays.
    seen = Seen{.incarnation = controller.incarnation(),
                .term = seen.term,
                .durable = seen.durable,
                .kept = seen.kept};
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
    const RaftHardState& state = raft.hard_state();
    if (state.voted_for != kNoController) {
      CountVote(self, term, {state.voted_for, state.voted_directory});
    }
  }
  if (leads) {
    const auto [leader, is_new] = leaders_.try_emplace(term, self);
    Require(leader->second == self, "I1", [&] {
      return Name(self) + " and " + Name(leader->second) + " both lead term " +
             std::to_string(term);
    });
    if (is_new) ++counters_.leader_changes;
    Require(!seen.leader || raft.last_index().value() >= seen.last_index, "I4",
            [&] { return Name(id) + " cut its log while it led"; });
  }
  if (seen.leader && !leads && term == seen.term &&
      controller.disk_stalled_until() > cluster_.world().now()) {
    ++counters_.resigned_stalled;
  }
  CheckLogStart(id, raft, seen);
  seen.leader = leads;
  seen.snapshot_index = raft.log().snapshot_index().value();
  seen.last_index = raft.last_index().value();
  seen.last_term = raft.log().last_term().value();
  seen.durable = raft.durable_index().value();
  seen.pending = raft.HasPendingWrites();
  CheckCommitted(id, raft, seen);
  seen.kept = std::max(seen.kept, std::min(seen.commit, seen.durable));
  voters_changed_ = voters_changed_ || raft.voter_history().version() > 1;
  if (voters_changed_) CheckQuorumsOverlap();
}

void RaftChecker::CheckQuorumsOverlap() {
  std::vector<QuorumMember> members;
  for (const auto& controller : cluster_.controllers()) {
    const RaftIdentity self{controller->id(), controller->directory_id()};
    if (controller->running()) {
      const RaftCore& raft = controller->node()->inspector().raft();
      members.push_back({.identity = self,
                         .last_term = raft.log().last_term(),
                         .last_index = raft.last_index(),
                         .voters = raft.IsObserver() ? VoterSet() : raft.voters()});
    } else {
      // Its disk holds at most this.
      const Seen& seen = seen_[self.directory_id];
      members.push_back({.identity = self,
                         .last_term = Term(seen.last_term),
                         .last_index = LogIndex(seen.last_index),
                         .voters = VoterSet()});
    }
  }
  const std::string disjoint = FindDisjointQuorums(members);
  Require(disjoint.empty(), "I11", [&] { return disjoint; });
}

void RaftChecker::OnWrite(SimController& controller, const RaftWrite& write) {
  const Seen& seen = seen_[controller.directory_id()];
  // As of the last step: an input may well cut first and commit what it added then. A write that
  // had to wait for the one before it was decided on earlier than that, and may well be followed
  // by the commit of what took the place of what it cuts; what counts for it is what was durable.
  const bool decided_now = seen.incarnation == controller.incarnation() && !seen.pending;
  const uint64_t commit = decided_now ? seen.commit : 0;
  if (write.snapshot) return CheckSnapshot(controller, write, commit);
  if (!write.truncate_from) return;
  ++counters_.truncations;
  const uint64_t committed = std::max(commit, seen.kept);
  Require(write.truncate_from->value() > committed, "I9", [&] {
    return Name(controller.id()) + " cuts its log at " + write.truncate_from->ToString() +
           ", committed there is " + std::to_string(committed);
  });
}

void RaftChecker::CheckSnapshot(SimController& controller, const RaftWrite& write,
                                uint64_t commit) {
  const ControllerId id = controller.id();
  const RaftCore& raft = controller.node()->inspector().raft();
  const uint64_t last = write.snapshot->last_index.value();
  Require(write.compact_to == write.snapshot->last_index, "I12",
          [&] { return Name(id) + ": the log does not begin behind the snapshot"; });
  if (write.truncate_from) {
    ++counters_.snapshots_installed;
    Require(last > commit, "I12", [&] {
      return Name(id) + " installs a snapshot that ends at " + std::to_string(last) +
             ", committed is " + std::to_string(commit);
    });
    Require(raft.role() != RaftRole::kLeader, "I12",
            [&] { return Name(id) + " leads and installs a snapshot"; });
  } else {
    Require(last <= raft.commit_index().value(), "I12", [&] {
      return Name(id) + " made a snapshot of " + std::to_string(last) + ", committed is " +
             raft.commit_index().ToString();
    });
  }
  const auto entry = committed_.find(last);
  Require(entry == committed_.end() || entry->second.term == write.snapshot->last_term.value(),
          "I12", [&] {
            return Name(id) + ": the snapshot of " + std::to_string(last) + " is of term " +
                   write.snapshot->last_term.ToString() + ", the entry of " +
                   std::to_string(entry->second.term);
          });
  const size_t hash = std::hash<std::string>()(write.snapshot->data);
  const auto [known, is_new] = snapshots_.try_emplace(last, hash);
  Require(is_new || known->second == hash, "I12", [&] {
    return Name(id) + ": the snapshot of " + std::to_string(last) + " differs from another's";
  });
}

// I9, I12: the log begins where the snapshot ends, and holds all that it ever had of the committed.
void RaftChecker::CheckLogStart(ControllerId id, const RaftCore& raft, const Seen& seen) const {
  const uint64_t start = raft.log().snapshot_index().value();
  const uint64_t snapshot = raft.snapshot() == nullptr ? 0 : raft.snapshot()->last_index.value();
  Require(start == snapshot, "I12", [&] {
    return Name(id) + ": the log begins behind " + std::to_string(start) +
           ", the snapshot ends at " + std::to_string(snapshot);
  });
  Require(start <= raft.commit_index().value() && start >= seen.snapshot_index, "I12", [&] {
    return Name(id) + ": the log begins behind " + std::to_string(start) + ", before behind " +
           std::to_string(seen.snapshot_index) + "; committed is " + raft.commit_index().ToString();
  });
  Require(raft.last_index().value() >= seen.kept, "I9", [&] {
    return Name(id) + ": the log ends at " + raft.last_index().ToString() + ", it had " +
           std::to_string(seen.kept) + " committed and durable";
  });
}

void RaftChecker::OnSent(const message::RaftMessage& message) {
  const auto identity = [](int32_t id, const std::string& directory) {
    return RaftIdentity{ControllerId(id), Uuid::FromBytes(directory).value_or(Uuid())};
  };
  const RaftIdentity sender = identity(message.from(), message.from_directory_id());
  // Who asks for votes has voted for itself.
  if (message.type() == message::RaftMessage::VOTE) CountVote(sender, message.term(), sender);
  if (message.type() != message::RaftMessage::VOTE_RESPONSE || message.reject()) return;
  CountVote(sender, message.term(), identity(message.to(), message.to_directory_id()));
}

void RaftChecker::CountVote(const RaftIdentity& voter, uint64_t term,
                            const RaftIdentity& candidate) {
  const auto [vote, is_new] = votes_.try_emplace({voter.directory_id, term}, candidate);
  Require(is_new || vote->second == candidate, "I3", [&] {
    return Name(voter) + " voted for " + Name(vote->second) + " and for " + Name(candidate) +
           " in term " + std::to_string(term);
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
    // I8: newly committed means durable on a majority of those who count for its leader, this
    // moment.
    size_t holders = 0;
    for (const RaftVoter& voter : raft.voters().members()) {
      const auto state = seen_.find(voter.identity.directory_id);
      if (state != seen_.end() && state->second.durable >= index) ++holders;
    }
    Require(holders >= raft.voters().majority(), "I8", [&] {
      return "entry " + std::to_string(index) + " is committed but durable on " +
             std::to_string(holders) + " voters only";
    });
  }
  seen.commit = commit;
}

}  // namespace quipu::sim
