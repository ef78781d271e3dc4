// Goal: what counts as a quorum and who counts in it.

#include "core/raft/voters/voter_set.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error_code.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

// The machine `id` on its first disk, or on a later one.
RaftIdentity Who(int id, uint64_t disk = 1) {
  return {ControllerId(id), DirectoryId(disk, static_cast<uint64_t>(id))};
}
RaftVoter Voter(int id, uint64_t disk = 1) {
  return {Who(id, disk), "host:" + std::to_string(9000 + id)};
}

VoterSet Of(std::vector<RaftVoter> voters, std::optional<RaftVoter> joining = std::nullopt) {
  return *VoterSet::Create(std::move(voters), std::move(joining));
}
VoterSet Five() { return Of({Voter(5), Voter(1), Voter(4), Voter(2), Voter(3)}); }
VoterSet Three() { return Of({Voter(1), Voter(2), Voter(3)}); }

TEST(VoterSetTest, AClusterBeginsWithOneThreeOrFiveVoters) {
  std::vector<RaftVoter> voters;
  for (int size = 0; size <= 6; ++size) {
    const bool expected = size == 1 || size == 3 || size == 5;
    absl::StatusOr<VoterSet> set = VoterSet::CreateFirst(voters);
    EXPECT_EQ(set.ok(), expected) << size;
    EXPECT_EQ(CodeOf(set.status()), expected ? ErrorCode::kNone : ErrorCode::kInconsistentVoterSet);
    voters.push_back(Voter(size + 1));
  }
}

TEST(VoterSetTest, AVoterNamedTwiceIsRefused) {
  RaftVoter same_directory{{ControllerId(3), Who(1).directory_id}, ""};
  EXPECT_FALSE(VoterSet::Create({Voter(1), Voter(2), same_directory}, std::nullopt).ok());
  EXPECT_FALSE(VoterSet::Create({Voter(1), Voter(2), Voter(1, 7)}, std::nullopt).ok());
  EXPECT_FALSE(VoterSet::Create({Voter(1), Voter(2)}, Voter(2)).ok());
  EXPECT_TRUE(VoterSet::Create({Voter(1), Voter(2)}, Voter(2, 7)).ok());
}

TEST(VoterSetTest, AVoterOnAnotherDirectoryIsAStranger) {
  EXPECT_TRUE(Five().Contains(Who(3)));
  EXPECT_FALSE(Five().Contains(Who(3, 7)));
}

TEST(VoterSetTest, WhoJoinsDoesNotCount) {
  const VoterSet set = Three().WithJoining(Voter(4));
  EXPECT_FALSE(set.Contains(Who(4)));
  EXPECT_TRUE(set.IsJoining(Who(4)));
  EXPECT_EQ(set.majority(), 2U);
}

TEST(VoterSetTest, WhatIsWrittenIsRead) {
  const VoterSet set = Three().WithJoining(Voter(2, 7));
  EXPECT_EQ(VoterSet::Parse(set.Serialize()), set);
  EXPECT_EQ(VoterSet::Parse(Five().Serialize()), Five());
}

TEST(VoterSetTest, DamagedBytesAreNoConfiguration) {
  const std::string good = Three().Serialize();
  EXPECT_EQ(VoterSet::Parse(""), std::nullopt);
  EXPECT_EQ(VoterSet::Parse(good.substr(0, good.size() - 1)), std::nullopt);
  EXPECT_EQ(VoterSet::Parse(good + good), std::nullopt);  // everybody twice
}

TEST(VoterSetTest, AStepChangesOneThing) {
  const VoterSet three = Three();
  const VoterSet joining = three.WithJoining(Voter(4));
  EXPECT_EQ(three.CheckStep(joining), ErrorCode::kNone);
  EXPECT_EQ(joining.CheckStep(three), ErrorCode::kNone);
  EXPECT_EQ(joining.CheckStep(joining.WithJoining(Voter(5))), ErrorCode::kNone);
  EXPECT_EQ(joining.CheckStep(joining.WithJoinedVoter()), ErrorCode::kNone);
  EXPECT_EQ(joining.CheckStep(joining.WithoutVoter(Who(2))), ErrorCode::kNone);

  EXPECT_EQ(three.CheckStep(three), ErrorCode::kInvalidRequest);
  // Nobody becomes a voter who has not been an observer before.
  EXPECT_EQ(three.CheckStep(joining.WithJoinedVoter()), ErrorCode::kInvalidRequest);
  EXPECT_EQ(joining.CheckStep(Of({Voter(1), Voter(2), Voter(3), Voter(5)})),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(three.CheckStep(three.WithJoining(Voter(2))), ErrorCode::kInvalidRequest);
  // Two voters at once: quorums of {1, 2, 3} and {1, 2', 3} may be {1, 2} and {2', 3}.
  EXPECT_EQ(three.CheckStep(Of({Voter(1), Voter(2, 7), Voter(3)})), ErrorCode::kInvalidRequest);
  EXPECT_EQ(three.CheckStep(Of({Voter(1)})), ErrorCode::kInvalidRequest);
  EXPECT_EQ(joining.CheckStep(three.WithoutVoter(Who(1))), ErrorCode::kInvalidRequest);
}

TEST(VoterSetTest, TheOldDiskGoesBeforeTheNewOneCounts) {
  const VoterSet joining = Three().WithJoining(Voter(2, 7));
  EXPECT_EQ(joining.CheckStep(Of({Voter(1), Voter(2, 7), Voter(3)})), ErrorCode::kInvalidRequest);
  const VoterSet removed = joining.WithoutVoter(Who(2));
  EXPECT_EQ(joining.CheckStep(removed), ErrorCode::kNone);
  EXPECT_EQ(removed.CheckStep(removed.WithJoinedVoter()), ErrorCode::kNone);
}

TEST(VoterSetTest, TheLastVoterAndASixthAreRefused) {
  EXPECT_EQ(Of({Voter(1)}).CheckStep(VoterSet()), ErrorCode::kInconsistentVoterSet);
  EXPECT_EQ(Five().WithJoining(Voter(6)).CheckStep(Five()), ErrorCode::kNone);
  std::vector<RaftVoter> six = Five().members();
  six.push_back(Voter(6));
  EXPECT_FALSE(VoterSet::Create(six, std::nullopt).ok());
}

TEST(VoterSetTest, QuorumsOverlapAfterEachStepAndNotAfterTwo) {
  const VoterSet three = Three();
  const VoterSet two = three.WithoutVoter(Who(2));
  const VoterSet new_three = two.WithJoining(Voter(2, 7)).WithJoinedVoter();
  EXPECT_TRUE(VoterSet::Overlap(three, three));
  EXPECT_TRUE(VoterSet::Overlap(three, two));
  EXPECT_TRUE(VoterSet::Overlap(two, new_three));
  EXPECT_FALSE(VoterSet::Overlap(three, new_three));
  // From four voters one leader adds a fifth and another removes one (C05).
  const VoterSet four = Of({Voter(1), Voter(2), Voter(3), Voter(4)});
  EXPECT_FALSE(
      VoterSet::Overlap(four.WithJoining(Voter(5)).WithJoinedVoter(), four.WithoutVoter(Who(4))));
}

TEST(VoterSetTest, AMajorityHasReachedTheMedian) {
  EXPECT_EQ(Five().majority(), 3U);
  EXPECT_EQ(Five().ReachedByMajority<int>({9, 1, 7, 3, 5}), 5);
  EXPECT_EQ(Of({Voter(1)}).ReachedByMajority<int>({4}), 4);
}

TEST(VoteTallyTest, ADuplicateVoteCountsOnce) {
  VoteTally tally;
  for (int i = 0; i < 5; ++i) tally.Record(Who(2), true);
  tally.Record(Who(1), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
  tally.Record(Who(4), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kWon);
}

TEST(VoteTallyTest, TheBallotIsLostWhenTheRestIsNoMajority) {
  VoteTally tally;
  tally.Record(Who(1), true);
  tally.Record(Who(2), false);
  tally.Record(Who(3), false);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
  tally.Record(Who(4), false);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kLost);
}

TEST(VoteTallyTest, TheVoteOfAVotersIdOnAnotherDiskDoesNotCount) {
  VoteTally tally;
  tally.Record(Who(1), true);
  tally.Record(Who(2), true);
  tally.Record(Who(3, 7), true);  // C06
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
  tally.Record(Who(3), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kWon);
}

TEST(VoteTallyTest, AmongNobodyABallotIsLost) {
  VoteTally tally;
  tally.Record(Who(1), true);
  EXPECT_EQ(tally.Count(VoterSet()), VoteTally::Outcome::kLost);
}

TEST(VoteTallyTest, AStrangersVoteDoesNotCount) {
  VoteTally tally;
  tally.Record(Who(1), true);
  tally.Record(Who(2), true);
  tally.Record(Who(77), true);
  EXPECT_EQ(tally.Count(Five()), VoteTally::Outcome::kOpen);
}

}  // namespace
}  // namespace quipu
