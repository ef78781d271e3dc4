// Goal: the configuration in force follows the log: appended, cut off, compacted, replaced.

#include "core/raft/voters/voter_history.h"

#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace quipu {
namespace {

RaftVoter Member(int id) {
  return {{ControllerId(id), DirectoryId(1, static_cast<uint64_t>(id))}, ""};
}
VoterSet SetOf(std::vector<RaftVoter> voters) {
  return *VoterSet::Create(std::move(voters), std::nullopt);
}
VoterSet AllThree() { return SetOf({Member(1), Member(2), Member(3)}); }
VoterSet JustTwo() { return SetOf({Member(1), Member(3)}); }
VoterSet JustOne() { return SetOf({Member(1)}); }

TEST(VoterHistoryTest, TheLastConfigurationOfTheLogIsInForceAtOnce) {
  VoterHistory history(AllThree());
  EXPECT_EQ(history.current(), AllThree());
  EXPECT_EQ(history.index(), LogIndex(0));
  history.Append(LogIndex(5), JustTwo());
  EXPECT_EQ(history.current(), JustTwo());
  EXPECT_EQ(history.index(), LogIndex(5));
  EXPECT_EQ(history.AsOf(LogIndex(4)), AllThree());
  EXPECT_EQ(history.AsOf(LogIndex(5)), JustTwo());
}

TEST(VoterHistoryTest, ATruncationBringsTheFormerConfigurationBack) {
  VoterHistory history(AllThree());
  history.Append(LogIndex(5), JustTwo());
  history.Append(LogIndex(8), JustOne());
  const uint64_t version = history.version();
  history.TruncateFrom(LogIndex(9));
  EXPECT_EQ(history.version(), version);
  history.TruncateFrom(LogIndex(8));
  EXPECT_EQ(history.current(), JustTwo());
  EXPECT_GT(history.version(), version);
  history.TruncateFrom(LogIndex(2));
  EXPECT_EQ(history.current(), AllThree());
}

TEST(VoterHistoryTest, ASnapshotCarriesWhatWasInForceAtItsEnd) {
  VoterHistory history(AllThree());
  EXPECT_EQ(history.SerializedAsOf(LogIndex(3)), "");  // the format's, whatever that was
  history.Append(LogIndex(5), JustTwo());
  history.Append(LogIndex(8), JustOne());
  EXPECT_EQ(history.SerializedAsOf(LogIndex(4)), "");
  EXPECT_EQ(history.SerializedAsOf(LogIndex(7)), JustTwo().Serialize());
  history.CompactTo(LogIndex(7));
  EXPECT_EQ(history.current(), JustOne());
  EXPECT_EQ(history.AsOf(LogIndex(7)), JustTwo());
  EXPECT_EQ(history.SerializedAsOf(LogIndex(7)), JustTwo().Serialize());
  history.TruncateFrom(LogIndex(8));
  EXPECT_EQ(history.current(), JustTwo());
}

TEST(VoterHistoryTest, ASnapshotOfALeaderReplacesEverything) {
  VoterHistory history(AllThree());
  history.Append(LogIndex(5), JustTwo());
  ASSERT_TRUE(history.ResetTo(JustOne().Serialize()));
  EXPECT_EQ(history.current(), JustOne());
  EXPECT_EQ(history.index(), LogIndex(0));
  EXPECT_FALSE(history.ResetTo("damaged"));
  EXPECT_EQ(history.current(), JustOne());
  ASSERT_TRUE(history.ResetTo(""));  // from before the first change
  EXPECT_EQ(history.current(), AllThree());
}

TEST(VoterHistoryTest, AnObserverKnowsOfNobodyUntilItsLogNamesThem) {
  VoterHistory history{VoterSet()};
  ASSERT_TRUE(history.ResetTo(""));
  EXPECT_EQ(history.current().size(), 0U);
  history.Append(LogIndex(2), JustTwo());
  EXPECT_EQ(history.current(), JustTwo());
}

}  // namespace
}  // namespace quipu
