// Goal: the facade's promises that golden scenarios do not show: limits, foreign and malformed
// messages, damaged recovered state, determinism.
// Method: one core, or a RaftCluster that is driven by hand.

#include "core/raft/raft_core.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu {
namespace {

using message::RaftMessage;

RaftOptions ThreeVoters() { return RaftCluster(3).node(1).options; }

ErrorCode CreateError(RaftOptions options, RecoveredRaft recovered) {
  return CodeOf(RaftCore::Create(std::move(options), std::move(recovered), Instant{}).status());
}

void Settle(RaftCluster& cluster) {
  bool busy = true;
  while (busy) {
    busy = false;
    for (int id = 1; id <= static_cast<int>(cluster.size()); ++id) {
      for (; !cluster.node(id).disk.under_way().empty(); busy = true) cluster.CompleteWrite(id);
    }
    for (; !cluster.network.empty(); busy = true) {
      RaftMessage message = std::move(cluster.network.front());
      cluster.network.pop_front();
      cluster.Step(message);
    }
  }
}

void Elect(RaftCluster& cluster, int id) {
  cluster.now = cluster.node(id).core->deadline();
  cluster.OnTime(id);
  Settle(cluster);
  ASSERT_TRUE(cluster.node(id).core->IsReadyLeader());
}

TEST(RaftCoreTest, ANodeThatIsNoVoterUnderItsDirectoryIsRefused) {
  RaftOptions options = ThreeVoters();
  options.self.directory_id = DirectoryId(9, 9);
  EXPECT_EQ(CreateError(options, {}), ErrorCode::kInconsistentVoterSet);
}

TEST(RaftCoreTest, ALogBeyondTheRecordedTermIsDamage) {
  RecoveredRaft recovered;
  recovered.hard_state.term = Term(1);
  message::RaftEntry entry;
  entry.set_index(1);
  entry.set_term(2);
  recovered.entries.push_back(entry);
  EXPECT_EQ(CreateError(ThreeVoters(), recovered), ErrorCode::kCorruptMessage);
  recovered.hard_state.term = Term(2);
  EXPECT_EQ(CreateError(ThreeVoters(), recovered), ErrorCode::kNone);
}

// Every way in which a pre-vote of node 2 may be addressed or signed wrongly.
TEST(RaftCoreTest, ForeignAndMalformedMessagesAreDropped) {
  RaftCluster cluster(3);
  cluster.OnTime(2);
  cluster.now = cluster.node(2).core->deadline();
  cluster.OnTime(2);
  const RaftMessage good = cluster.network.front();
  ASSERT_EQ(good.to(), 1);
  std::vector<RaftMessage> bad(10, good);
  bad[0].set_cluster_id(Uuid(7, 7).ToBytes());
  bad[1].set_cluster_id("short");
  bad[2].set_to(3);
  bad[3].set_to_directory_id(Uuid(7, 7).ToBytes());
  bad[4].set_from(-1);
  bad[5].set_from_directory_id(Uuid().ToBytes());
  bad[6].set_from(good.to());
  bad[6].set_from_directory_id(good.to_directory_id());
  bad[7].set_term(0);
  bad[8].set_type(static_cast<RaftMessage::Type>(77));
  bad[9].set_from_directory_id("short");
  RaftCore& core = *cluster.node(1).core;
  for (size_t i = 0; i < bad.size(); ++i) {
    RaftEffects effects;
    core.Step(bad[i], cluster.now, effects);
    EXPECT_TRUE(effects.messages.empty() && effects.persists.empty()) << i;
    EXPECT_EQ(core.dropped_messages(), i + 1);
  }
  RaftEffects effects;
  core.Step(good, cluster.now, effects);
  EXPECT_EQ(effects.messages.size(), 1U);
}

TEST(RaftCoreTest, ARequestOfAStrangerIsAnsweredAndItsAnswersAreDropped) {
  RaftCluster cluster(3);
  cluster.OnTime(2);
  cluster.now = cluster.node(2).core->deadline();
  cluster.OnTime(2);
  RaftMessage message = cluster.network.front();
  // It may be a voter in a configuration that has not come here yet (C19).
  message.set_from_directory_id(Uuid(7, 7).ToBytes());
  RaftCore& core = *cluster.node(1).core;
  RaftEffects effects;
  core.Step(message, cluster.now, effects);
  EXPECT_EQ(effects.messages.size(), 1U);
  // Here it is not, so that it counts for nothing and raises no term (C06).
  for (const auto type :
       {RaftMessage::PRE_VOTE_RESPONSE, RaftMessage::VOTE_RESPONSE, RaftMessage::APPEND_RESPONSE,
        RaftMessage::HEARTBEAT_RESPONSE, RaftMessage::INSTALL_SNAPSHOT_RESPONSE}) {
    message.set_type(type);
    message.set_term(99);
    const uint64_t dropped = core.dropped_messages();
    core.Step(message, cluster.now, effects);
    EXPECT_EQ(core.dropped_messages(), dropped + 1);
    EXPECT_LT(core.term(), Term(99));
  }
}

// A vote that 3 asks for with a log that ends there, out of the blue.
RaftMessage VoteOf3(RaftCluster& cluster, int to, Term term, LogIndex last) {
  RaftMessage vote;
  vote.set_type(RaftMessage::VOTE);
  vote.set_cluster_id(cluster.node(3).options.cluster_id.ToBytes());
  vote.set_from(3);
  vote.set_from_directory_id(cluster.node(3).options.self.directory_id.ToBytes());
  vote.set_to(to);
  vote.set_to_directory_id(cluster.node(to).options.self.directory_id.ToBytes());
  vote.set_term(term.value());
  vote.set_last_log_index(last.value());
  vote.set_last_log_term(1);
  return vote;
}

TEST(RaftCoreTest, C07AVoteDisturbsNobodyWhoHearsALeader) {
  RaftCluster cluster(3);
  Elect(cluster, 1);
  // 3 has been removed, or did not hear of the leader in time; no pre-vote came first.
  for (int id : {1, 2}) {
    cluster.Step(VoteOf3(cluster, id, Term(9), LogIndex(99)));
    EXPECT_EQ(cluster.node(id).core->term(), Term(1));
    EXPECT_EQ(cluster.node(id).core->leader(), ControllerId(1));
  }
  cluster.now += cluster.node(2).options.election_timeout;  // without a word from the leader
  cluster.Step(VoteOf3(cluster, 2, Term(9), LogIndex(99)));
  EXPECT_EQ(cluster.node(2).core->term(), Term(9));
}

TEST(RaftCoreTest, WhoLacksAnEntryGetsNoVoteOfWhoHasIt) {
  RaftCluster cluster(3);
  Elect(cluster, 1);
  const LogIndex last = cluster.Propose(1, "a").index;
  Settle(cluster);
  cluster.now += cluster.node(2).options.election_timeout;
  Term term(8);
  for (const auto& [end, refused] : {std::pair(last - 1, true), std::pair(last, false)}) {
    cluster.Step(VoteOf3(cluster, 2, ++term, end));
    while (!cluster.node(2).disk.under_way().empty()) cluster.CompleteWrite(2);
    ASSERT_EQ(cluster.network.back().type(), RaftMessage::VOTE_RESPONSE);
    EXPECT_EQ(cluster.network.back().reject(), refused);
  }
}

// Found by the fuzz target raft_message: the replica took the snapshot over, and its log was ahead
// of its term (I2), for good.
TEST(RaftCoreTest, ASnapshotOfALaterTermOrOfNothingIsDropped) {
  RaftCluster cluster(3);
  Elect(cluster, 1);
  cluster.Propose(1, "a");
  RaftMessage good = cluster.network.front();
  good.set_type(RaftMessage::INSTALL_SNAPSHOT);
  good.clear_entries();
  message::SnapshotChunk& chunk = *good.mutable_snapshot();
  chunk.set_last_index(9);
  chunk.set_last_term(good.term());
  chunk.set_total_bytes(8);
  RaftMessage future = good;
  future.mutable_snapshot()->set_last_term(good.term() + 1);
  RaftMessage no_term = good;
  no_term.mutable_snapshot()->set_last_term(0);
  RaftMessage nothing = good;
  nothing.mutable_snapshot()->set_last_index(0);
  RaftCore& core = *cluster.node(good.to()).core;
  for (const RaftMessage& message : {future, no_term, nothing}) {
    RaftEffects effects;
    core.Step(message, cluster.now, effects);
    EXPECT_TRUE(effects.messages.empty() && effects.persists.empty());
  }
  EXPECT_EQ(core.dropped_messages(), 3U);
  RaftEffects effects;
  core.Step(good, cluster.now, effects);
  EXPECT_EQ(core.dropped_messages(), 3U);
}

TEST(RaftCoreTest, AnAppendWhoseEntriesAreNoLogIsDropped) {
  RaftCluster cluster(3);
  Elect(cluster, 1);
  cluster.Propose(1, "a");
  const RaftMessage good = cluster.network.front();
  ASSERT_EQ(good.type(), RaftMessage::APPEND);
  RaftMessage gap = good;
  gap.mutable_entries(0)->set_index(good.entries(0).index() + 1);
  RaftMessage future = good;
  future.mutable_entries(0)->set_term(good.term() + 1);
  RaftMessage past = good;
  past.mutable_entries(0)->set_term(0);
  RaftCore& core = *cluster.node(good.to()).core;
  for (const RaftMessage& message : {gap, future, past}) {
    RaftEffects effects;
    core.Step(message, cluster.now, effects);
    EXPECT_TRUE(effects.messages.empty() && effects.persists.empty());
  }
  EXPECT_EQ(core.dropped_messages(), 3U);
}

TEST(RaftCoreTest, UncommittedProposalsAreBoundedInBytes) {
  RaftCluster cluster(3, [](RaftOptions& options) { options.proposal_bytes_max = 1000; });
  Elect(cluster, 1);
  EXPECT_EQ(cluster.Propose(1, std::string(1000, 'x')).error, ErrorCode::kLimitReached);
  ASSERT_EQ(cluster.Propose(1, std::string(900, 'x')).error, ErrorCode::kNone);
  EXPECT_EQ(cluster.Propose(1, std::string(900, 'y')).error, ErrorCode::kLimitReached);
  Settle(cluster);
  EXPECT_EQ(cluster.Propose(1, std::string(900, 'z')).error, ErrorCode::kNone);
}

TEST(RaftCoreTest, WaitingReadsAreBoundedInNumber) {
  RaftCluster cluster(3, [](RaftOptions& options) { options.reads_max = 2; });
  Elect(cluster, 1);
  EXPECT_EQ(cluster.ReadIndex(1, 1), ErrorCode::kNone);
  EXPECT_EQ(cluster.ReadIndex(1, 2), ErrorCode::kNone);
  EXPECT_EQ(cluster.ReadIndex(1, 3), ErrorCode::kLimitReached);
  Settle(cluster);
  EXPECT_EQ(cluster.ReadIndex(1, 4), ErrorCode::kNone);
}

TEST(RaftCoreTest, ASingleVoterCommitsOnlyWhatIsDurable) {
  RaftCluster cluster(1);
  Elect(cluster, 1);
  RaftCore::Proposed proposed = cluster.Propose(1, "a");
  EXPECT_LT(cluster.node(1).core->commit_index(), proposed.index);
  cluster.CompleteWrite(1);
  EXPECT_EQ(cluster.node(1).core->commit_index(), proposed.index);
}

TEST(RaftCoreTest, C03TheSyncOfOneEntryCommitsNoneBehindIt) {
  RaftCluster cluster(1);
  Elect(cluster, 1);
  const RaftCore::Proposed first = cluster.Propose(1, "a");
  const RaftCore::Proposed second = cluster.Propose(1, "b");
  cluster.CompleteWrite(1);
  EXPECT_EQ(cluster.node(1).core->commit_index(), first.index);
  cluster.CompleteWrite(1);
  EXPECT_EQ(cluster.node(1).core->commit_index(), second.index);
}

TEST(RaftCoreTest, AnEntryOfAnEarlierTermIsNotCommittedByCounting) {
  // Figure 8 of the Raft paper in short: entry 2 of term 1 is on a majority, and node 1 leads again
  // in a later term; until an entry of that term is on a majority too, nothing is committed.
  RaftCluster cluster(3);
  Elect(cluster, 1);
  cluster.Propose(1, "a");
  const RaftMessage append = cluster.network.front();
  cluster.network.clear();
  cluster.CompleteWrite(1);
  cluster.Step(append);  // at node 2, durable, and its answer lost
  cluster.CompleteWrite(append.to());
  cluster.network.clear();
  cluster.Crash(1);
  cluster.Restart(1);
  // Elected again by 2, without the no-op getting through.
  cluster.now = std::max(cluster.now + std::chrono::seconds(5), cluster.node(1).core->deadline());
  cluster.OnTime(1);
  while (cluster.node(1).core->role() != RaftRole::kLeader) {
    for (int id = 1; id <= 2; ++id) {
      while (!cluster.node(id).disk.under_way().empty()) cluster.CompleteWrite(id);
    }
    std::deque<RaftMessage> messages = std::exchange(cluster.network, {});
    ASSERT_FALSE(messages.empty());
    for (const RaftMessage& message : messages) {
      if (message.to() != 3) cluster.Step(message);
    }
  }
  // Node 2 answers a probe that ends before the no-op: its log matches up to entry 2.
  RaftMessage answer;
  for (const RaftMessage& message : cluster.network) {
    if (message.to() == 2 && message.type() == RaftMessage::APPEND) answer = message;
  }
  ASSERT_EQ(answer.type(), RaftMessage::APPEND);
  answer.clear_entries();
  cluster.network.clear();
  cluster.Step(answer);
  ASSERT_EQ(cluster.network.front().match_index(), 2U);
  cluster.Step(cluster.network.front());
  EXPECT_LT(cluster.node(1).core->commit_index(), LogIndex(2));
  Settle(cluster);
}

TEST(RaftCoreTest, AFollowerCommitsNothingBeyondWhereItIsKnownToAgreeWithTheLeader) {
  // Node 1 holds entries 2 and 3 of term 1, which the leader of term 2 does not have. An APPEND of
  // that leader that ends at entry 1 says nothing about them, whatever is committed elsewhere.
  RaftCluster cluster(3);
  Elect(cluster, 1);
  cluster.Propose(1, "x");
  cluster.Propose(1, "y");
  cluster.network.clear();
  while (!cluster.node(1).disk.under_way().empty()) cluster.CompleteWrite(1);
  cluster.Crash(1);
  cluster.Restart(1);  // as a follower that knows of no commit
  RaftMessage append;
  append.set_type(RaftMessage::APPEND);
  append.set_cluster_id(cluster.node(1).options.cluster_id.ToBytes());
  append.set_from(2);
  append.set_from_directory_id(cluster.node(2).options.self.directory_id.ToBytes());
  append.set_to(1);
  append.set_to_directory_id(cluster.node(1).options.self.directory_id.ToBytes());
  append.set_term(2);
  append.set_last_log_index(1);
  append.set_last_log_term(1);
  append.set_commit_index(3);
  cluster.Step(append);
  EXPECT_EQ(cluster.node(1).core->leader(), ControllerId(2));
  EXPECT_EQ(cluster.node(1).core->commit_index(), LogIndex(1));
}

TEST(RaftCoreTest, TheSameInputsGiveTheSameEffects) {
  auto run = [] {
    std::string account;
    RaftCluster cluster(3);
    cluster.trace = [&account](const std::string& line) { account += line + "\n"; };
    Elect(cluster, 2);
    for (int i = 0; i < 5; ++i) cluster.Propose(2, "x");
    Settle(cluster);
    cluster.Compact(2);
    Settle(cluster);
    return account;
  };
  EXPECT_EQ(run(), run());
}

TEST(RaftCoreDeathTest, TwoLeadersInOneTermAreNeverTolerated) {
  RaftCluster cluster(3);
  Elect(cluster, 1);
  RaftMessage heartbeat;
  heartbeat.set_type(RaftMessage::HEARTBEAT);
  heartbeat.set_cluster_id(cluster.node(1).options.cluster_id.ToBytes());
  heartbeat.set_from(2);
  heartbeat.set_from_directory_id(cluster.node(2).options.self.directory_id.ToBytes());
  heartbeat.set_to(1);
  heartbeat.set_to_directory_id(cluster.node(1).options.self.directory_id.ToBytes());
  heartbeat.set_term(cluster.node(1).core->term().value());
  EXPECT_DEATH(cluster.Step(heartbeat), "I1");
}

}  // namespace
}  // namespace quipu
