// Goal: each rule about changing voters, one at a time (the golden scenarios show them at work).
// Method: a RaftCluster that is driven by hand; its checkers look on.

#include <deque>
#include <string>
#include <utility>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu {
namespace {

using message::RaftMessage;

class VoterChangeTest : public testing::Test {
 protected:
  // Everything that is written and sent arrives, but nothing to or from `without`.
  void SettleWithout(int without) {
    bool busy = true;
    while (busy) {
      busy = false;
      for (const int id : cluster_.Ids()) {
        while (cluster_.IsUp(id) && !cluster_.node(id).disk.under_way().empty()) {
          cluster_.CompleteWrite(id);
          busy = true;
        }
      }
      for (const RaftMessage& message : std::exchange(cluster_.network, {})) {
        if (message.from() == without || message.to() == without) continue;
        if (cluster_.Has(message.to()) && cluster_.IsUp(message.to())) cluster_.Step(message);
        busy = true;
      }
    }
  }
  void Settle() { SettleWithout(0); }
  void Elect(int id) {
    cluster_.now = std::max(cluster_.now, cluster_.node(id).core->deadline());
    cluster_.OnTime(id);
    Settle();
    ASSERT_TRUE(cluster_.node(id).core->IsReadyLeader());
  }
  void Heartbeat(int leader) {
    cluster_.now += std::chrono::milliseconds(100);
    cluster_.OnTime(leader);
    Settle();
  }
  RaftCore& Core(int id) { return *cluster_.node(id).core; }
  ErrorCode Change(int leader, VoterSet next) {
    return cluster_.ChangeVoters(leader, std::move(next)).error;
  }
  ErrorCode Join(int leader, int who) {
    return Change(leader, Core(leader).voters().WithJoining(cluster_.VoterAt(who)));
  }
  ErrorCode Remove(int leader, int who) {
    return Change(leader, Core(leader).voters().WithoutVoter(cluster_.VoterAt(who).identity));
  }
  ErrorCode Admit(int leader) { return Change(leader, Core(leader).voters().WithJoinedVoter()); }

  RaftCluster cluster_{3, [](RaftOptions& options) { options.joiner_lag_entries_max = 2; }};
};

TEST_F(VoterChangeTest, OnlyALeaderThatHasCommittedInItsTermChangesVoters) {
  cluster_.AddObserver(4);
  EXPECT_EQ(Join(1, 4), ErrorCode::kNotController);
  Elect(1);
  EXPECT_EQ(Join(1, 4), ErrorCode::kNone);
  EXPECT_EQ(Change(2, Core(2).voters().WithJoining(std::nullopt)), ErrorCode::kNotController);
}

TEST_F(VoterChangeTest, AChangeWaitsForTheOneBefore) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  EXPECT_EQ(Remove(1, 3), ErrorCode::kReassignmentInProgress);
  Settle();
  EXPECT_EQ(Remove(1, 3), ErrorCode::kNone);
}

TEST_F(VoterChangeTest, WhoHasNotTheLogBecomesNoVoter) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  SettleWithout(4);
  EXPECT_EQ(Admit(1), ErrorCode::kReplicaNotAvailable);  // never heard
  Heartbeat(1);
  Settle();
  for (int i = 0; i < 5; ++i) cluster_.Propose(1, "x");
  SettleWithout(4);
  EXPECT_EQ(Admit(1), ErrorCode::kReplicaNotAvailable);  // five entries behind, two are allowed
  Heartbeat(1);
  EXPECT_EQ(Admit(1), ErrorCode::kNone);
}

TEST_F(VoterChangeTest, WhoHasFallenSilentBecomesNoVoter) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  Settle();
  cluster_.Crash(4);
  for (int i = 0; i < 10; ++i) Heartbeat(1);
  EXPECT_EQ(Admit(1), ErrorCode::kReplicaNotAvailable);
}

TEST_F(VoterChangeTest, AnObserverCountsForNothing) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  Settle();
  cluster_.Crash(2);
  cluster_.Crash(3);
  const LogIndex commit = Core(1).commit_index();
  cluster_.Propose(1, "x");
  Settle();
  EXPECT_EQ(Core(4).last_index(), Core(1).last_index());
  EXPECT_EQ(Core(1).commit_index(), commit);
  // Nor does it keep its leader in office (CheckQuorum).
  for (int i = 0; i < 11 && Core(1).role() == RaftRole::kLeader; ++i) Heartbeat(1);
  EXPECT_NE(Core(1).role(), RaftRole::kLeader);
}

TEST_F(VoterChangeTest, AnObserverStandsForNoElectionAndNeverSpins) {
  cluster_.AddObserver(4);
  for (int i = 0; i < 10; ++i) {
    cluster_.now = Core(4).deadline();
    cluster_.OnTime(4);
    EXPECT_GT(Core(4).deadline(), cluster_.now);
  }
  EXPECT_EQ(Core(4).term(), Term(0));
  EXPECT_TRUE(cluster_.network.empty());
}

TEST_F(VoterChangeTest, TheVotersSurviveARestartAndASnapshot) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  Settle();
  ASSERT_EQ(Admit(1), ErrorCode::kNone);
  Settle();
  const VoterSet voters = Core(1).voters();
  cluster_.Compact(1);
  Settle();
  cluster_.Crash(1);
  cluster_.Restart(1);
  EXPECT_EQ(Core(1).voters(), voters);
  EXPECT_EQ(Core(1).snapshot()->voters, voters.Serialize());
}

TEST_F(VoterChangeTest, AnObserverLearnsTheVotersFromASnapshot) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  SettleWithout(4);
  cluster_.Compact(1);
  SettleWithout(4);
  EXPECT_EQ(Core(4).voters().size(), 0U);
  for (int i = 0; i < 5; ++i) Heartbeat(1);
  EXPECT_EQ(Core(4).voters(), Core(1).voters());
  EXPECT_TRUE(Core(4).IsObserver());
}

TEST_F(VoterChangeTest, ADamagedConfigurationIsNotAccepted) {
  Elect(1);
  cluster_.AddObserver(4);
  ASSERT_EQ(Join(1, 4), ErrorCode::kNone);
  RaftMessage append = cluster_.network.front();
  ASSERT_EQ(append.type(), RaftMessage::APPEND);
  append.mutable_entries(0)->set_data("damaged");
  RaftCore& core = Core(append.to());
  const uint64_t dropped = core.dropped_messages();
  RaftEffects effects;
  core.Step(append, cluster_.now, effects);
  EXPECT_EQ(core.dropped_messages(), dropped + 1);
  // Nor is one that was recovered.
  RecoveredRaft recovered = cluster_.node(1).disk.Load();
  ASSERT_FALSE(recovered.entries.empty());
  recovered.entries.back().set_kind(message::RaftEntry::VOTERS);
  recovered.entries.back().set_data("damaged");
  EXPECT_EQ(CodeOf(RaftCore::Create(cluster_.node(1).options, recovered, Instant{}).status()),
            ErrorCode::kCorruptMessage);
}

TEST_F(VoterChangeTest, AChangeCountsAgainstTheLimitOfProposals) {
  RaftCluster small(1, [](RaftOptions& options) { options.proposal_bytes_max = 60; });
  small.OnTime(1);
  while (!small.node(1).disk.under_way().empty()) small.CompleteWrite(1);
  ASSERT_TRUE(small.node(1).core->IsReadyLeader());
  small.AddObserver(2);
  const VoterSet next = small.node(1).core->voters().WithJoining(small.VoterAt(2));
  EXPECT_EQ(small.ChangeVoters(1, next).error, ErrorCode::kLimitReached);
}

}  // namespace
}  // namespace quipu
