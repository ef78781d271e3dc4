#include "tests/unit/core/raft/raft_cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace quipu {
namespace {

using message::RaftEntry;
using message::RaftMessage;

RaftIdentity IdentityOf(int id) {
  return {ControllerId(id), DirectoryId(0xD1, static_cast<uint64_t>(id))};
}

}  // namespace

RaftCluster::RaftCluster(size_t size, const std::function<void(RaftOptions&)>& adjust) {
  for (int id = 1; id <= static_cast<int>(size); ++id) {
    Node& node = nodes_[id];
    node.options.cluster_id = ClusterId(0xC1, 0xC1);
    node.options.self = IdentityOf(id);
    for (int voter = 1; voter <= static_cast<int>(size); ++voter) {
      node.options.voters.push_back(IdentityOf(voter));
    }
    node.options.seed = static_cast<uint64_t>(id);
    if (adjust) adjust(node.options);
    Restart(id);
  }
}

void RaftCluster::Step(const RaftMessage& message) {
  RaftEffects effects;
  nodes_.at(message.to()).core->Step(message, now, effects);
  Carry(message.to(), std::move(effects));
}

void RaftCluster::OnTime(int id) {
  RaftEffects effects;
  nodes_.at(id).core->OnTime(now, effects);
  Carry(id, std::move(effects));
}

void RaftCluster::CompleteWrite(int id) {
  Node& node = nodes_.at(id);
  RaftWriteId write = node.disk.CompleteOne();
  RaftEffects effects;
  node.core->OnPersisted(write, now, effects);
  Carry(id, std::move(effects));
}

RaftCore::Proposed RaftCluster::Propose(int id, const std::string& data) {
  RaftEffects effects;
  RaftCore::Proposed proposed = nodes_.at(id).core->Propose(data, now, effects);
  Carry(id, std::move(effects));
  return proposed;
}

ErrorCode RaftCluster::ReadIndex(int id, RaftReadToken token) {
  reads_[token] = {id, committed_.empty() ? LogIndex(0) : committed_.rbegin()->first};
  RaftEffects effects;
  ErrorCode error = nodes_.at(id).core->ReadIndex(token, effects);
  if (error != ErrorCode::kNone) reads_.erase(token);
  Carry(id, std::move(effects));
  return error;
}

void RaftCluster::Compact(int id) {
  Node& node = nodes_.at(id);
  RaftEffects effects;
  node.core->Compact(node.applied, node.state, effects);
  Carry(id, std::move(effects));
}

void RaftCluster::Crash(int id, size_t kept) {
  Node& node = nodes_.at(id);
  node.core.reset();
  node.disk.Crash(kept);
}

void RaftCluster::Restart(int id) {
  Node& node = nodes_.at(id);
  RecoveredRaft recovered = node.disk.Load();
  node.state = recovered.snapshot ? recovered.snapshot->data : "";
  node.applied = recovered.snapshot ? recovered.snapshot->last_index : LogIndex(0);
  node.options.seed += 1000 * node.lives++;
  absl::StatusOr<std::unique_ptr<RaftCore>> core =
      RaftCore::Create(node.options, std::move(recovered), now);
  QUIPU_CHECK_MSG(core.ok(), core.status().ToString());
  node.core = *std::move(core);
}

void RaftCluster::Carry(int id, RaftEffects effects) {
  Node& node = nodes_.at(id);
  for (RaftPersist& persist : effects.persists) {
    Trace(absl::StrCat(id, " writes #", persist.id, ": ", Describe(persist.write)));
    node.disk.Submit(std::move(persist));
  }
  for (RaftMessage& message : effects.messages) {
    Trace(Describe(message));
    CheckPersistedBeforeSpoken(node, message);
    network.push_back(std::move(message));
  }
  for (const RaftRoleChange& change : effects.role_changes) {
    Trace(absl::StrCat(id, " is ", change.ready ? "ready " : "", RoleName(change.role), " in term ",
                       change.term.value(), ", leader ",
                       change.leader == kNoController ? "unknown" : change.leader.ToString()));
    if (change.role == RaftRole::kLeader) {
      auto [it, first] = leaders_.try_emplace(change.term, id);
      QUIPU_INVARIANT("I1", first || it->second == id);
    }
  }
  if (effects.restore) {
    Trace(absl::StrCat(id, " restores ", effects.restore->last_index.value(), ": \"",
                       effects.restore->data, "\""));
    QUIPU_INVARIANT("I12", effects.restore->last_index > node.applied);
    node.state = effects.restore->data;
    node.applied = effects.restore->last_index;
  }
  for (const RaftEntry& entry : effects.committed) {
    Trace(absl::StrCat(id, " commits ", Describe(entry)));
    QUIPU_INVARIANT("I7", LogIndex(entry.index()) == node.applied + 1);
    node.applied = LogIndex(entry.index());
    if (entry.kind() == RaftEntry::COMMAND) absl::StrAppend(&node.state, entry.data(), " ");
    CheckCommitted(id, entry);
  }
  for (const RaftReadAnswer& answer : effects.reads) {
    const bool ok = answer.error == ErrorCode::kNone;
    Trace(absl::StrCat(id, " answers read ", answer.token, ": ",
                       ok ? answer.index.ToString() : std::string(ErrorName(answer.error))));
    answers[answer.token] = answer;
    if (ok) QUIPU_INVARIANT("I13", answer.index >= reads_.at(answer.token).at_least);
    if (ok) QUIPU_INVARIANT("I13", node.applied >= answer.index);
  }
  CheckAll(id);
}

void RaftCluster::CheckPersistedBeforeSpoken(const Node& node, const RaftMessage& message) const {
  const bool pre_vote = message.type() == RaftMessage::PRE_VOTE ||
                        (message.type() == RaftMessage::PRE_VOTE_RESPONSE && !message.reject());
  if (!pre_vote) QUIPU_INVARIANT("I2", node.disk.hard_state().term.value() >= message.term());
  if (message.type() == RaftMessage::VOTE_RESPONSE && !message.reject()) {
    const RaftHardState& hard_state = node.disk.hard_state();
    QUIPU_INVARIANT("I3", hard_state.term.value() > message.term() ||
                              hard_state.voted_for.value() == message.to());
  }
  if (message.match_index() != 0) {
    QUIPU_INVARIANT("I8", node.disk.last_index().value() >= message.match_index());
  }
}

void RaftCluster::CheckCommitted(int id, const RaftEntry& entry) {
  const LogIndex index{entry.index()};
  auto [it, first] = committed_.try_emplace(index, entry);
  QUIPU_INVARIANT("I7", it->second.term() == entry.term());
  QUIPU_INVARIANT("I7", it->second.data() == entry.data());
  if (!first) return;
  // Committed for the first time, by a leader: it is on the disks of a majority [I8, I10].
  QUIPU_INVARIANT("I8", nodes_.at(id).core->role() == RaftRole::kLeader);
  size_t holders = 0;
  for (const auto& [other, node] : nodes_) holders += node.disk.Holds(index, Term(entry.term()));
  QUIPU_INVARIANT("I8", holders >= nodes_.size() / 2 + 1);
}

void RaftCluster::CheckAll(int id) {
  const Node& node = nodes_.at(id);
  node.core->CheckInvariants();
  QUIPU_INVARIANT("I7", node.applied == node.core->commit_index());
  if (node.core->role() == RaftRole::kLeader) {
    // A leader has everything that was committed in earlier terms [I6].
    for (const auto& [index, entry] : committed_) {
      if (index <= node.core->log().snapshot_index()) continue;
      if (Term(entry.term()) >= node.core->term()) break;
      QUIPU_INVARIANT("I6", node.core->log().TermAt(index) == Term(entry.term()));
    }
  }
  for (const auto& [other, peer] : nodes_) {
    if (other != id && peer.core != nullptr) CheckLogsMatch(node, peer);
  }
}

void RaftCluster::CheckLogsMatch(const Node& a, const Node& b) const {
  const RaftLog& left = a.core->log();
  const RaftLog& right = b.core->log();
  LogIndex index = std::min(left.last_index(), right.last_index());
  const LogIndex start = std::max(left.snapshot_index(), right.snapshot_index());
  bool agreed = false;
  for (; index > start; index = index - 1) {
    const bool same = left.At(index).term() == right.At(index).term();
    QUIPU_INVARIANT("I5", same || !agreed);
    if (same) QUIPU_INVARIANT("I5", left.At(index).data() == right.At(index).data());
    agreed = agreed || same;
  }
}

// ---- text ---------------------------------------------------------------------------------------

const char* RoleName(RaftRole role) {
  switch (role) {
    case RaftRole::kFollower:
      return "follower";
    case RaftRole::kPreCandidate:
      return "pre-candidate";
    case RaftRole::kCandidate:
      return "candidate";
    case RaftRole::kLeader:
      return "leader";
  }
  return "?";
}

std::string Describe(const RaftEntry& entry) {
  return absl::StrCat(entry.index(), "/", entry.term(), " ",
                      entry.kind() == RaftEntry::NO_OP ? "no-op" : entry.data());
}

namespace {
template <typename Entries>
std::string DescribeEntries(const Entries& entries) {
  return absl::StrCat(
      "[",
      absl::StrJoin(entries, ", ",
                    [](std::string* out, const RaftEntry& entry) { *out += Describe(entry); }),
      "]");
}
}  // namespace

std::string Describe(const RaftWrite& write) {
  std::vector<std::string> parts;
  if (write.hard_state) {
    parts.push_back(absl::StrCat("term ", write.hard_state->term.value()));
    if (write.hard_state->voted_for != kNoController) {
      parts.back() += " vote " + write.hard_state->voted_for.ToString();
    }
  }
  if (write.snapshot) {
    parts.push_back(absl::StrCat("snapshot ", write.snapshot->last_index.value(), "/",
                                 write.snapshot->last_term.value()));
  }
  if (write.truncate_from) {
    parts.push_back(absl::StrCat("truncate from ", write.truncate_from->value()));
  }
  if (write.compact_to) parts.push_back(absl::StrCat("compact to ", write.compact_to->value()));
  if (!write.append.empty()) parts.push_back("append " + DescribeEntries(write.append));
  return absl::StrJoin(parts, ", ");
}

std::string Describe(const RaftMessage& message) {
  std::string text = absl::StrCat(message.from(), "->", message.to(), " ",
                                  RaftMessage::Type_Name(message.type()), " term=", message.term());
  if (message.reject()) text += " reject";
  if (message.type() == RaftMessage::APPEND || message.type() == RaftMessage::VOTE ||
      message.type() == RaftMessage::PRE_VOTE) {
    absl::StrAppend(&text, " log=", message.last_log_index(), "/", message.last_log_term());
  }
  if (message.type() == RaftMessage::APPEND || message.type() == RaftMessage::HEARTBEAT) {
    absl::StrAppend(&text, " commit=", message.commit_index());
  }
  if (message.entries_size() > 0) text += " " + DescribeEntries(message.entries());
  if (message.match_index() != 0) absl::StrAppend(&text, " match=", message.match_index());
  if (message.type() == RaftMessage::APPEND_RESPONSE && message.reject()) {
    absl::StrAppend(&text, " at=", message.last_log_index(), " hint=", message.hint_index(), "/",
                    message.hint_term());
  }
  if (message.read_sequence() != 0) absl::StrAppend(&text, " round=", message.read_sequence());
  if (message.has_snapshot()) {
    absl::StrAppend(&text, " snapshot=", message.snapshot().last_index(),
                    " position=", message.snapshot().position());
    if (!message.snapshot().data().empty()) {
      absl::StrAppend(&text, " \"", message.snapshot().data(), "\"");
    }
    if (message.snapshot().done()) text += " done";
  }
  return text;
}

}  // namespace quipu
