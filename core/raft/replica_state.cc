#include "core/raft/replica_state.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {

ReplicaState::ReplicaState(RaftOptions options, VoterHistory voters, RaftHardState hard_state,
                           RaftLog log, std::shared_ptr<const RaftSnapshot> snapshot)
    : options_(std::move(options)),
      voters_(std::move(voters)),
      hard_state_(hard_state),
      log_(std::move(log)),
      snapshot_(std::move(snapshot)),
      commit_index_(log_.snapshot_index()),
      writes_(log_.last_index()),
      rng_(options_.seed) {}

void ReplicaState::EnterTerm(Term term) {
  QUIPU_INVARIANT("I2", term > hard_state_.term);
  hard_state_ = {.term = term, .voted_for = kNoController, .voted_directory = {}};
  writes_.current().hard_state = hard_state_;
}

bool ReplicaState::MayVoteFor(const RaftIdentity& who) const {
  return VotedFor() == RaftIdentity{} || VotedFor() == who;
}

void ReplicaState::VoteFor(const RaftIdentity& who) {
  QUIPU_INVARIANT("I3", MayVoteFor(who));
  if (VotedFor() == who) return;
  hard_state_.voted_for = who.id;
  hard_state_.voted_directory = who.directory_id;
  if (IsPlanted(PlantedBug::kVoteNotRecorded)) return;
  writes_.current().hard_state = hard_state_;
}

bool ReplicaState::MayStand() const { return voters_.NamedSince(commit_index_, options_.self); }

LogIndex ReplicaState::AppendVoters(VoterSet next) {
  // One voter at a time, so that old and new quorums overlap.
  QUIPU_INVARIANT("I11", VoterSet::Overlap(voters(), next));
  const LogIndex index = AppendOwn(message::RaftEntry::VOTERS, next.Serialize());
  voters_.Append(index, std::move(next));
  return index;
}

LogIndex ReplicaState::AppendOwn(message::RaftEntry::Kind kind, std::string data) {
  message::RaftEntry entry;
  entry.set_term(term().value());
  entry.set_index(log_.last_index().value() + 1);
  entry.set_kind(kind);
  entry.set_data(std::move(data));
  writes_.current().append.push_back(entry);
  log_.Append(std::move(entry));
  return log_.last_index();
}

void ReplicaState::AppendFrom(message::RaftEntry entry) {
  const LogIndex index{entry.index()};
  if (std::optional<Term> present = log_.TermAt(index)) {
    // Log matching: the very same entry [I5].
    if (present->value() == entry.term() && !IsPlanted(PlantedBug::kAppendCutsKnownEntries)) {
      return;
    }
    QUIPU_INVARIANT("I9", index > commit_index_);
    log_.TruncateFrom(index);
    voters_.TruncateFrom(index);
    writes_.OnTruncated(index - 1);
    // One input cuts at most once: behind the first conflict everything is new.
    QUIPU_CHECK(writes_.current().append.empty());
    writes_.current().truncate_from = index;
  }
  if (entry.kind() == message::RaftEntry::VOTERS) {
    std::optional<VoterSet> voters = VoterSet::Parse(entry.data());
    QUIPU_CHECK_MSG(voters.has_value(), "a configuration that was admitted is none");
    voters_.Append(index, *std::move(voters));
  }
  writes_.current().append.push_back(entry);
  log_.Append(std::move(entry));
}

void ReplicaState::AdvanceCommit(LogIndex index) {
  if (index <= commit_index_) return;
  QUIPU_INVARIANT("I8", index <= log_.last_index());
  for (LogIndex next = commit_index_ + 1; next <= index; ++next) {
    effects_.committed.push_back(log_.At(next));
  }
  commit_index_ = index;
}

void ReplicaState::Compact(LogIndex last, std::string data) {
  QUIPU_INVARIANT("I12", last <= commit_index_);
  QUIPU_INVARIANT("I12", last >= log_.snapshot_index());
  if (last == log_.snapshot_index()) return;
  log_.CompactTo(last);
  snapshot_ = std::make_shared<const RaftSnapshot>(
      RaftSnapshot{last, log_.snapshot_term(), std::move(data), voters_.SerializedAsOf(last)});
  voters_.CompactTo(last);
  writes_.current().snapshot = *snapshot_;
  writes_.current().compact_to = last;
}

void ReplicaState::InstallSnapshot(RaftSnapshot snapshot) {
  QUIPU_INVARIANT("I12", snapshot.last_index > commit_index_);
  // The log disagrees with the snapshot or ends before it; all of it goes, the committed part
  // because the snapshot covers it, the rest because it was never committed.
  writes_.OnTruncated(commit_index_);
  QUIPU_CHECK(writes_.current().append.empty());
  writes_.current().truncate_from = log_.snapshot_index() + 1;
  writes_.current().compact_to = snapshot.last_index;
  log_.ResetTo(snapshot.last_index, snapshot.last_term);
  QUIPU_CHECK_MSG(voters_.ResetTo(snapshot.voters), "a configuration that was admitted is none");
  commit_index_ = snapshot.last_index;
  snapshot_ = std::make_shared<const RaftSnapshot>(std::move(snapshot));
  writes_.current().snapshot = *snapshot_;
  effects_.committed.clear();  // covered by the snapshot
  effects_.restore = snapshot_;
}

message::RaftMessage ReplicaState::NewMessage(message::RaftMessage::Type type,
                                              const RaftIdentity& to) const {
  message::RaftMessage message;
  message.set_type(type);
  message.set_cluster_id(options_.cluster_id.ToBytes());
  message.set_from(options_.self.id.value());
  message.set_from_directory_id(options_.self.directory_id.ToBytes());
  message.set_to(to.id.value());
  message.set_to_directory_id(to.directory_id.ToBytes());
  message.set_term(term().value());
  return message;
}

void ReplicaState::Flush(RaftEffects& effects) {
  writes_.Flush(log_.last_index(), effects_);
  auto move_all = [](auto& from, auto& to) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  };
  if (effects_.restore) {
    effects.restore = std::move(effects_.restore);
    effects.committed.clear();  // earlier inputs' entries, covered by the snapshot
  }
  move_all(effects_.persists, effects.persists);
  move_all(effects_.messages, effects.messages);
  move_all(effects_.role_changes, effects.role_changes);
  move_all(effects_.committed, effects.committed);
  move_all(effects_.reads, effects.reads);
  effects_ = RaftEffects();
}

Duration ReplicaState::RandomElectionTimeout() {
  const auto timeout = static_cast<uint64_t>(options_.election_timeout.count());
  return Duration(static_cast<Duration::rep>(timeout + rng_.Below(timeout)));
}

void ReplicaState::CheckInvariants() const {
  QUIPU_INVARIANT("I8", commit_index_ <= log_.last_index());
  QUIPU_INVARIANT("I12", log_.snapshot_index() <= commit_index_);
  QUIPU_INVARIANT("I12", (snapshot_ == nullptr) == (log_.snapshot_index() == LogIndex(0)));
  if (snapshot_ != nullptr) {
    QUIPU_INVARIANT("I12", snapshot_->last_index == log_.snapshot_index());
    QUIPU_INVARIANT("I12", snapshot_->last_term == log_.snapshot_term());
  }
  QUIPU_INVARIANT("I2", log_.last_term() <= term());
  QUIPU_INVARIANT("I8", writes_.durable_index() <= log_.last_index());
  QUIPU_CHECK(effects_.persists.empty());
  // The end of the log, where it changes: numbered without gaps, terms never falling.
  constexpr size_t kTailEntries = 16;
  const auto& entries = log_.entries();
  size_t first = entries.size() > kTailEntries ? entries.size() - kTailEntries : 0;
  for (size_t i = first; i < entries.size(); ++i) {
    QUIPU_INVARIANT("I5", entries[i].index() == log_.snapshot_index().value() + i + 1);
    const uint64_t former = i == 0 ? log_.snapshot_term().value() : entries[i - 1].term();
    QUIPU_INVARIANT("I5", entries[i].term() >= former);
  }
}

}  // namespace quipu
