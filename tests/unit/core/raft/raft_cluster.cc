#include "tests/unit/core/raft/raft_cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/unit/core/raft/quorum_overlap.h"

namespace quipu {
namespace {

using message::RaftEntry;
using message::RaftMessage;

constexpr uint64_t kFirstDisk = 0xD1;

RaftIdentity IdentityOf(int id, uint64_t disk = 1) {
  return {ControllerId(id), DirectoryId(kFirstDisk + disk - 1, static_cast<uint64_t>(id))};
}

std::string NameOf(const RaftIdentity& who) {
  return who.id.ToString() + std::string(who.directory_id.high() - kFirstDisk, '\'');
}

}  // namespace

RaftCluster::RaftCluster(size_t size, const std::function<void(RaftOptions&)>& adjust) {
  for (int id = 1; id <= static_cast<int>(size); ++id) {
    Node& node = nodes_[id];
    node.options.cluster_id = ClusterId(0xC1, 0xC1);
    node.options.self = IdentityOf(id);
    for (int voter = 1; voter <= static_cast<int>(size); ++voter) {
      node.options.voters.push_back({IdentityOf(voter), ""});
    }
    node.options.seed = static_cast<uint64_t>(id);
    if (adjust) adjust(node.options);
    Restart(id);
  }
}

std::vector<int> RaftCluster::Ids() const {
  std::vector<int> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
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

RaftCore::Proposed RaftCluster::ChangeVoters(int id, VoterSet next) {
  RaftEffects effects;
  RaftCore::Proposed proposed = nodes_.at(id).core->ChangeVoters(std::move(next), now, effects);
  Carry(id, std::move(effects));
  return proposed;
}

void RaftCluster::Wipe(int id) {
  Node& node = nodes_.at(id);
  const uint64_t disks = node.disks + 1;
  const RaftOptions options = node.options;
  lost_disks_.emplace(options.self.directory_id, std::move(node.disk));
  node = Node{};
  node.options = options;
  node.options.voters.clear();
  node.options.self = IdentityOf(id, disks);
  node.disks = disks;
  node.lives = disks;
  Restart(id);
}

void RaftCluster::AddObserver(int id) {
  QUIPU_CHECK(!nodes_.contains(id));
  RaftOptions options = nodes_.begin()->second.options;
  options.voters.clear();
  options.self = IdentityOf(id);
  options.seed += static_cast<uint64_t>(id);
  nodes_[id].options = std::move(options);
  Restart(id);
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
  Count(node, effects);
  node.voters_index = node.core->voter_history().index();
  for (RaftPersist& persist : effects.persists) {
    Trace(absl::StrCat(id, " writes #", persist.id, ": ", Describe(persist.write)));
    for (const RaftEntry& entry : persist.write.append) {
      voters_changed_ = voters_changed_ || entry.kind() == RaftEntry::VOTERS;
    }
    node.disk.Submit(std::move(persist));
  }
  for (RaftMessage& message : effects.messages) {
    Trace(Describe(message));
    CheckPersistedBeforeSpoken(node, message);
    CheckVote(message);
    network.push_back(std::move(message));
  }
  for (const RaftRoleChange& change : effects.role_changes) {
    Trace(absl::StrCat(id, " is ", change.ready ? "ready " : "", RoleName(change.role), " in term ",
                       change.term.value(), ", leader ",
                       change.leader == kNoController ? "unknown" : change.leader.ToString()));
    if (change.role == RaftRole::kLeader) {
      auto [it, first] = leaders_.try_emplace(change.term, id);
      QUIPU_INVARIANT("I1", first || it->second == id);
      counters_.leaders += first ? 1 : 0;
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

void RaftCluster::Count(const Node& node, const RaftEffects& effects) {
  ++counters_.steps;
  const auto hash = [this](uint64_t value) {
    counters_.hash = (counters_.hash ^ value) * 0x100000001B3ULL;
  };
  for (const RaftMessage& message : effects.messages) {
    hash(static_cast<uint64_t>(message.type()));
    hash(static_cast<uint64_t>(message.from()));
    hash(static_cast<uint64_t>(message.to()));
    hash(message.term());
    hash(message.last_log_index() + message.match_index());
  }
  for (const RaftPersist& persist : effects.persists) {
    if (!persist.write.truncate_from) continue;
    ++counters_.truncations;
    if (*persist.write.truncate_from <= node.voters_index && !persist.write.snapshot) {
      ++counters_.voters_rolled_back;
    }
  }
  if (effects.restore) ++counters_.restores;
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
  const RaftCore& core = *nodes_.at(id).core;
  committed_in_[index] = core.term();
  QUIPU_INVARIANT("I8", core.role() == RaftRole::kLeader || core.IsObserver());
  // The leader may have gone with it, as one that is no voter any more.
  const VoterSet& voters = nodes_.at(id).core->voters();
  size_t holders = 0;
  for (const RaftVoter& voter : voters.members()) {
    const FakeDisk* disk = DiskOf(voter.identity);
    holders += disk != nullptr && disk->Holds(index, Term(entry.term()));
  }
  QUIPU_INVARIANT("I8", holders >= voters.majority());
}

const FakeDisk* RaftCluster::DiskOf(const RaftIdentity& who) const {
  const auto node = nodes_.find(who.id.value());
  if (node != nodes_.end() && node->second.options.self == who) return &node->second.disk;
  const auto lost = lost_disks_.find(who.directory_id);
  return lost == lost_disks_.end() ? nullptr : &lost->second;
}

// A vote that was spoken counts for ever, whatever becomes of the disk [I3].
void RaftCluster::CheckVote(const RaftMessage& message) {
  RaftIdentity candidate;
  if (message.type() == RaftMessage::VOTE) {
    candidate = {ControllerId(message.from()), *Uuid::FromBytes(message.from_directory_id())};
  } else if (message.type() == RaftMessage::VOTE_RESPONSE && !message.reject()) {
    candidate = {ControllerId(message.to()), *Uuid::FromBytes(message.to_directory_id())};
  } else {
    return;
  }
  const DirectoryId voter = *Uuid::FromBytes(message.from_directory_id());
  const auto [vote, first] = votes_.try_emplace({voter, message.term()}, candidate);
  QUIPU_INVARIANT("I3", first || vote->second == candidate);
}

void RaftCluster::CheckQuorumsOverlap() const {
  std::vector<QuorumMember> members;
  for (const auto& [id, node] : nodes_) {
    if (node.core == nullptr) {
      members.push_back({node.options.self, node.disk.last_term(), node.disk.last_index(), {}});
    } else {
      const RaftCore& core = *node.core;
      members.push_back({node.options.self, core.log().last_term(), core.last_index(),
                         core.IsObserver() ? VoterSet() : core.voters()});
    }
  }
  const std::string disjoint = FindDisjointQuorums(members);
  QUIPU_INVARIANT_MSG("I11", disjoint.empty(), disjoint);
}

void RaftCluster::CheckAll(int id) {
  const Node& node = nodes_.at(id);
  node.core->CheckInvariants();
  if (voters_changed_) CheckQuorumsOverlap();
  QUIPU_INVARIANT("I7", node.applied == node.core->commit_index());
  if (node.core->role() == RaftRole::kLeader) {
    // A leader has everything that was committed in earlier terms [I6]: what a later leader has
    // committed may be of an earlier term, and one that is deposed already need not have it.
    for (const auto& [index, entry] : committed_) {
      if (index <= node.core->log().snapshot_index()) continue;
      if (committed_in_.at(index) >= node.core->term()) continue;
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

std::string Describe(const VoterSet& voters) {
  std::string text = absl::StrJoin(voters.members(), ",", [](std::string* out, const auto& voter) {
    *out += NameOf(voter.identity);
  });
  if (voters.joining()) text += " joining " + NameOf(voters.joining()->identity);
  return text;
}

std::string Describe(const RaftEntry& entry) {
  const std::string place = absl::StrCat(entry.index(), "/", entry.term(), " ");
  if (entry.kind() == RaftEntry::NO_OP) return place + "no-op";
  if (entry.kind() == RaftEntry::COMMAND) return place + entry.data();
  return place + "voters " + Describe(*VoterSet::Parse(entry.data()));
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
