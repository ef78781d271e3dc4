// Goal: what counts as a quorum and who counts in it.

#include "core/raft/quorum.h"

#include "base/error_code.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

RaftIdentity Voter(int id) { return {ControllerId(id), DirectoryId(1, static_cast<uint64_t>(id))}; }

VoterSet Five() { return *VoterSet::Create({Voter(5), Voter(1), Voter(4), Voter(2), Voter(3)}); }

TEST(VoterSetTest, OneThreeAndFiveVotersAreAQuorumAndNothingElse) {
  std::vector<RaftIdentity> voters;
  for (int size = 0; size <= 6; ++size) {
    const bool expected = size == 1 || size == 3 || size == 5;
    absl::StatusOr<VoterSet> set = VoterSet::Create(voters);
    EXPECT_EQ(set.ok(), expected) << size;
    EXPECT_EQ(CodeOf(set.status()), expected ? ErrorCode::kNone : ErrorCode::kInconsistentVoterSet);
    voters.push_back(Voter(size + 1));
  }
}

TEST(VoterSetTest, AVoterNamedTwiceIsRefused) {
  RaftIdentity same_directory{ControllerId(3), Voter(1).directory_id};
  EXPECT_FALSE(VoterSet::Create({Voter(1), Voter(2), same_directory}).ok());
  RaftIdentity same_id{ControllerId(1), DirectoryId(7, 7)};
  EXPECT_FALSE(VoterSet::Create({Voter(1), Voter(2), same_id}).ok());
}

TEST(VoterSetTest, AVoterOnAnotherDirectoryIsAStranger) {
  EXPECT_TRUE(Five().Contains(Voter(3)));
  EXPECT_FALSE(Five().Contains({ControllerId(3), DirectoryId(7, 7)}));
}

TEST(VoterSetTest, AMajorityHasReachedTheMedian) {
  EXPECT_EQ(Five().majority(), 3U);
  EXPECT_EQ(Five().ReachedByMajority<int>({9, 1, 7, 3, 5}), 5);
  EXPECT_EQ(VoterSet::Create({Voter(1)})->ReachedByMajority<int>({4}), 4);
}

TEST(VoteTallyTest, ADuplicateVoteCountsOnce) {
  VoteTally tally;
  for (int i = 0; i < 5; ++i) tally.Record(ControllerId(2), true);
  tally.Record(ControllerId(1), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
  tally.Record(ControllerId(4), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kWon);
}

TEST(VoteTallyTest, TheBallotIsLostWhenTheRestIsNoMajority) {
  VoteTally tally;
  tally.Record(ControllerId(1), true);
  tally.Record(ControllerId(2), false);
  tally.Record(ControllerId(3), false);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
  tally.Record(ControllerId(4), false);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kLost);
}

TEST(VoteTallyTest, AStrangersVoteDoesNotCount) {
  VoteTally tally;
  tally.Record(ControllerId(1), true);
  tally.Record(ControllerId(2), true);
  tally.Record(ControllerId(77), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
}

}  // namespace
}  // namespace quipu
