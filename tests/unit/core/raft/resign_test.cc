// Goal: a leader that resigns is followed by another one without a time-out, and by nobody else's
// loss of safety. Method: a RaftCluster driven by hand.
#include <utility>

#include "gtest/gtest.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu {
namespace {

using message::RaftMessage;

class ResignTest : public ::testing::Test {
 protected:
  void Quiesce() {
    bool busy = true;
    while (busy) {
      busy = false;
      for (int id = 1; id <= 3; ++id) {
        for (; !cluster_.node(id).disk.under_way().empty(); busy = true) cluster_.CompleteWrite(id);
      }
      for (; !cluster_.network.empty(); busy = true) {
        const RaftMessage message = std::move(cluster_.network.front());
        cluster_.network.pop_front();
        cluster_.Step(message);
      }
    }
  }
  void MakeLeader(int id) {
    cluster_.now = core(id).deadline();
    cluster_.OnTime(id);
    Quiesce();
    ASSERT_TRUE(core(id).IsReadyLeader());
  }
  RaftCore& core(int id) { return *cluster_.node(id).core; }
  // Carries the resignation to `receiver`; with nobody: it is lost.
  void Resign(int id, const std::vector<int>& receivers) {
    RaftEffects effects;
    core(id).Resign(cluster_.now, effects);
    for (const RaftMessage& message : effects.messages) {
      if (message.type() != RaftMessage::RESIGNED) continue;
      ++told_;
      for (const int receiver : receivers) {
        if (message.to() == receiver) cluster_.Step(message);
      }
    }
  }
  RaftCluster cluster_{3};
  int told_ = 0;
};

TEST_F(ResignTest, TheOthersElectWithinAPartOfATimeout) {
  MakeLeader(1);
  const Term term = core(1).term();
  Resign(1, {2, 3});
  EXPECT_EQ(told_, 2);
  EXPECT_EQ(core(1).role(), RaftRole::kFollower);
  EXPECT_EQ(core(2).leader(), kNoController);
  const int next = core(2).deadline() <= core(3).deadline() ? 2 : 3;
  EXPECT_LE(core(next).deadline() - cluster_.now, core(1).options().election_timeout / 4);
  MakeLeader(next);
  EXPECT_EQ(core(next).term(), term + 1);
  EXPECT_EQ(core(1).leader().value(), next);
}

TEST_F(ResignTest, WithoutTheNewsTheyWaitAsForADeadLeader) {
  MakeLeader(1);
  Resign(1, {});
  EXPECT_GE(core(2).deadline() - cluster_.now, core(1).options().election_timeout / 2);
  EXPECT_EQ(core(2).leader(), ControllerId(1));
}

TEST_F(ResignTest, OnlyTheLeaderOfTheTermIsBelieved) {
  MakeLeader(1);
  RaftMessage forged;
  forged.set_type(RaftMessage::RESIGNED);
  forged.set_cluster_id(core(3).options().cluster_id.ToBytes());
  forged.set_from(3);
  forged.set_from_directory_id(core(3).options().self.directory_id.ToBytes());
  forged.set_to(2);
  forged.set_to_directory_id(core(2).options().self.directory_id.ToBytes());
  forged.set_term(core(2).term().value());
  const Instant deadline = core(2).deadline();
  cluster_.Step(forged);
  EXPECT_EQ(core(2).leader(), ControllerId(1));
  EXPECT_EQ(core(2).deadline(), deadline);
}

}  // namespace
}  // namespace quipu
